//! Which paths a location is for, as nginx chooses among them.

/// What stands behind `location`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Matcher {
    /// `= /path`
    Exact(String),
    /// `/path`; with `^~` no regular expression is asked after it.
    Prefix {
        /// The path.
        path: String,
        /// Whether `^~` stands before it.
        last: bool,
    },
    /// `~ expression` or `~* expression`: what every path begins with that it matches, as far as that
    /// can be told.
    Regex {
        /// The expression.
        expression: String,
        /// The beginning; empty where it is not known.
        beginning: String,
    },
    /// `@name`
    Named(String),
}

impl Matcher {
    /// Reads the arguments of `location`; `None` where nginx would not take them.
    pub(crate) fn read(arguments: &[String]) -> Option<Self> {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        Some(match arguments.as_slice() {
            ["=", path] => Self::Exact((*path).into()),
            ["^~", path] => Self::Prefix { path: (*path).into(), last: true },
            ["~", expression] => Self::regex(expression, true),
            ["~*", expression] => Self::regex(expression, false),
            [word] => Self::of_word(word),
            _ => return None,
        })
    }

    /// nginx lets the sign stand at the path as well.
    fn of_word(word: &str) -> Self {
        if let Some(path) = word.strip_prefix("^~") {
            return Self::Prefix { path: path.into(), last: true };
        }
        match (word.strip_prefix("~*"), word.strip_prefix('~'), word.strip_prefix('=')) {
            (Some(expression), ..) => Self::regex(expression, false),
            (_, Some(expression), _) => Self::regex(expression, true),
            (.., Some(path)) => Self::Exact(path.into()),
            _ if word.starts_with('@') => Self::Named(word.into()),
            _ => Self::Prefix { path: word.into(), last: false },
        }
    }

    fn regex(expression: &str, case_sensitive: bool) -> Self {
        let beginning = beginning_of(expression).filter(|_| case_sensitive);
        Self::Regex { expression: expression.into(), beginning: beginning.unwrap_or_default() }
    }

    /// Whether this path may be this location's by its regular expression.
    pub(crate) fn may_match(&self, path: &str) -> bool {
        match self {
            Self::Regex { expression, beginning } => {
                let file = path.rsplit('/').next().unwrap_or(path).to_lowercase();
                let is_of =
                    |mut endings: Vec<String>| endings.drain(..).any(|it| file.ends_with(&it));
                path.starts_with(beginning.as_str()) && endings_of(expression).is_none_or(is_of)
            }
            _ => false,
        }
    }

    /// Whether some path that begins so may be this location's by its regular expression.
    pub(crate) fn may_match_below(&self, prefix: &str) -> bool {
        match self {
            Self::Regex { beginning, .. } => {
                beginning.starts_with(prefix) || prefix.starts_with(beginning.as_str())
            }
            _ => false,
        }
    }
}

/// What a regular expression that is anchored at the beginning has before the first sign that means
/// something else than itself.
fn beginning_of(expression: &str) -> Option<String> {
    let rest = expression.strip_prefix('^')?;
    if has_outer_alternatives(rest) {
        return None;
    }
    let mut beginning = String::new();
    let mut chars = rest.chars();
    while let Some(char) = chars.next() {
        match char {
            '?' | '*' | '{' => {
                // It is about the sign before, which need not be there.
                beginning.pop();
                break;
            }
            '\\' => match chars.next() {
                Some(char) if !char.is_alphanumeric() => beginning.push(char),
                _ => break,
            },
            '.' | '[' | ']' | '(' | ')' | '+' | '}' | '|' | '^' | '$' => break,
            char => beginning.push(char),
        }
    }
    Some(beginning)
}

/// The names' endings that an expression such as `\.php$` or `\.(css|js)$` is about, in lower case; `None`
/// where it is about something else.
fn endings_of(expression: &str) -> Option<Vec<String>> {
    let inner = expression.strip_prefix("\\.")?.strip_suffix('$')?;
    let inner = match inner.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) {
        Some(alternatives) => alternatives.strip_prefix("?:").unwrap_or(alternatives),
        None if inner.contains('|') => return None,
        None => inner,
    };
    let plain = |word: &str| !word.is_empty() && word.bytes().all(|it| it.is_ascii_alphanumeric());
    let words: Vec<_> = inner.split('|').collect();
    words
        .iter()
        .all(|word| plain(word))
        .then(|| words.iter().map(|word| format!(".{}", word.to_lowercase())).collect())
}

fn has_outer_alternatives(expression: &str) -> bool {
    let mut depth = 0_i32;
    let mut escaped = false;
    for char in expression.chars() {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '(' => depth += 1,
            ')' => depth -= 1,
            '|' if depth == 0 => return true,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Matcher {
        let arguments: Vec<String> = text.split(' ').map(str::to_owned).collect();
        Matcher::read(&arguments).unwrap()
    }

    #[test]
    fn all_forms_of_location() {
        assert_eq!(read("= /a"), Matcher::Exact("/a".into()));
        assert_eq!(read("=/a"), Matcher::Exact("/a".into()));
        assert_eq!(read("/a"), Matcher::Prefix { path: "/a".into(), last: false });
        assert_eq!(read("^~ /a"), Matcher::Prefix { path: "/a".into(), last: true });
        assert_eq!(read("^~/a"), Matcher::Prefix { path: "/a".into(), last: true });
        assert_eq!(read("@a"), Matcher::Named("@a".into()));
        for text in ["~ x", "~x", "~* x", "~*x"] {
            let unknown = Matcher::Regex { expression: "x".into(), beginning: String::new() };
            assert_eq!(read(text), unknown, "{text}");
        }
        assert_eq!(Matcher::read(&["!".into(), "/a".into()]), None);
        assert_eq!(Matcher::read(&[]), None);
    }

    #[test]
    fn what_a_regular_expression_begins_with() {
        for (expression, beginning) in [
            ("^/static/", "/static/"),
            ("^/a\\.b/", "/a.b/"),
            ("^/a.*", "/a"),
            ("^/ab?c", "/a"),
            ("^/ab*", "/a"),
            ("^/ab+", "/ab"),
            ("^/a{2}", "/"),
            ("^/(a|b)", "/"),
            ("^/a\\d", "/a"),
            ("^/a$", "/a"),
            ("^/a|^/b", ""),
            ("^/a(b|c)\\|d", "/a"),
            ("/a", ""),
            ("\\.php$", ""),
        ] {
            assert_eq!(beginning_of(expression).unwrap_or_default(), beginning, "{expression}");
        }
        let blind = Matcher::Regex { expression: "^/A".into(), beginning: String::new() };
        assert_eq!(read("~* ^/A"), blind);
    }

    #[test]
    fn a_regular_expression_about_endings() {
        for (expression, path, may) in [
            ("\\.php$", "/a.php", true),
            ("\\.php$", "/a.PHP", true),
            ("\\.php$", "/a.php/b", false),
            ("\\.php$", "/a", false),
            ("\\.(css|js)$", "/a.js", true),
            ("\\.(?:css|js)$", "/a.json", false),
            ("\\.css|js$", "/ajs", true),
            ("\\.ph.$", "/a", true),
            ("\\.()$", "/a", true),
            ("php$", "/a", true),
            ("^/b/", "/a", false),
            ("^/a", "/a", true),
        ] {
            let matcher = read(&format!("~ {expression}"));
            assert_eq!(matcher.may_match(path), may, "{expression} {path}");
        }
        assert!(!read("/a").may_match("/a"));
    }

    #[test]
    fn a_regular_expression_may_match_below_a_prefix() {
        assert!(read("~ \\.php$").may_match_below("/private/"));
        assert!(read("~ ^/private/x").may_match_below("/private/"));
        assert!(read("~ ^/pri").may_match_below("/private/"));
        assert!(!read("~ ^/public/").may_match_below("/private/"));
        assert!(!read("/private/x").may_match_below("/private/"));
    }
}
