//! The syntax of nginx's configuration, as `ngx_conf_read_token` reads it: words, quotes, comments,
//! blocks. What a directive means is nobody's business here.

use crate::place::Place;
use std::iter::Peekable;
use std::rc::Rc;

/// A directive, with what stands in its block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    /// Its name.
    pub name: String,
    /// Its arguments, without their quotes.
    pub arguments: Vec<String>,
    /// What is in its braces; `None` where it ends with a semicolon.
    pub block: Option<Vec<Directive>>,
    /// Where its name stands.
    pub place: Place,
}

/// What is no configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {mistake}")]
pub struct SyntaxError {
    /// Where.
    pub place: Place,
    /// What.
    pub mistake: Mistake,
}

/// What is wrong, in nginx's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// A block or a directive goes on to the end of the file.
    #[error("unexpected end of file, expecting \";\" or \"}}\"")]
    End,
    /// A brace closes what nothing has opened, or a directive in the middle.
    #[error("unexpected \"}}\"")]
    Closing,
    /// A block without a name, a directive without one.
    #[error("unexpected \"{0}\"")]
    Unexpected(char),
    /// Blocks in blocks, more than anybody writes.
    #[error("too many blocks within blocks")]
    Depth,
}

/// So deep do blocks go; nginx's own go to `limit_except` in `location` in `location`.
const MAX_DEPTH: usize = 100;

/// The directives of one file.
///
/// # Errors
/// The first mistake, with its line.
pub fn parse(text: &str, file: &str) -> Result<Vec<Directive>, SyntaxError> {
    let mut parser = Parser { text: Chars::new(text), file: file.into() };
    let directives = parser.block(0)?;
    match parser.token() {
        Token::End => Ok(directives),
        _ => Err(parser.error(Mistake::Closing)),
    }
}

struct Parser<'t> {
    text: Chars<'t>,
    file: Rc<str>,
}

enum Token {
    Word(String, usize),
    Semicolon,
    Opening,
    Closing,
    End,
    Unexpected(char),
}

impl Parser<'_> {
    /// Up to the brace that closes the block, which is left, or the end.
    fn block(&mut self, depth: usize) -> Result<Vec<Directive>, SyntaxError> {
        let mut directives = Vec::new();
        while !matches!(self.text.after_blanks(), None | Some('}')) {
            directives.push(self.directive(depth)?);
        }
        Ok(directives)
    }

    fn directive(&mut self, depth: usize) -> Result<Directive, SyntaxError> {
        let (name, line) = match self.token() {
            Token::Word(name, line) => (name, line),
            other => return Err(self.unexpected(&other)),
        };
        let place = Place { file: Rc::clone(&self.file), line };
        let mut arguments = Vec::new();
        loop {
            match self.token() {
                Token::Word(word, _) => arguments.push(word),
                Token::Semicolon => return Ok(Directive { name, arguments, block: None, place }),
                Token::Opening => break,
                other => return Err(self.unexpected(&other)),
            }
        }
        let block = Some(match name.ends_with("_by_lua_block") {
            true => self.foreign_block()?,
            false => self.inner_block(depth + 1)?,
        });
        Ok(Directive { name, arguments, block, place })
    }

    fn inner_block(&mut self, depth: usize) -> Result<Vec<Directive>, SyntaxError> {
        if depth > MAX_DEPTH {
            return Err(self.error(Mistake::Depth));
        }
        let directives = self.block(depth)?;
        match self.token() {
            Token::Closing => Ok(directives),
            _ => Err(self.error(Mistake::End)),
        }
    }

    /// A program of another language, which is left out: its braces are in pairs.
    fn foreign_block(&mut self) -> Result<Vec<Directive>, SyntaxError> {
        let mut open = 1_usize;
        while open > 0 {
            match self.text.next() {
                Some('{') => open += 1,
                Some('}') => open -= 1,
                Some(_) => {}
                None => return Err(self.error(Mistake::End)),
            }
        }
        Ok(Vec::new())
    }

    fn token(&mut self) -> Token {
        let Some(first) = self.text.after_blanks() else { return Token::End };
        let line = self.text.line;
        match first {
            ';' => self.single(Token::Semicolon),
            '{' => self.single(Token::Opening),
            '}' => self.single(Token::Closing),
            '"' | '\'' => self.quoted(first, line),
            _ => Token::Word(self.bare(), line),
        }
    }

    fn single(&mut self, token: Token) -> Token {
        self.text.next();
        token
    }

    /// A word in quotes. Behind it comes white space or the end of the directive.
    fn quoted(&mut self, quote: char, line: usize) -> Token {
        self.text.next();
        let mut word = String::new();
        loop {
            match self.text.next() {
                None => return Token::End,
                Some('\\') => self.escaped(&mut word),
                Some(char) if char == quote => break,
                Some(char) => word.push(char),
            }
        }
        match self.text.peek() {
            // nginx takes the parenthesis of an `if` for a word of its own.
            Some(char) if !is_blank(char) && !matches!(char, ';' | '{' | ')') => {
                Token::Unexpected(char)
            }
            _ => Token::Word(word, line),
        }
    }

    /// A word without quotes. A brace ends it, but for that of `${name}`.
    fn bare(&mut self) -> String {
        let mut word = String::new();
        let mut dollar = false;
        while let Some(char) = self.text.peek() {
            if is_blank(char) || char == ';' || (char == '{' && !dollar) {
                break;
            }
            self.text.next();
            dollar = char == '$';
            match char {
                '\\' => self.escaped(&mut word),
                char => word.push(char),
            }
        }
        word
    }

    /// What a backslash makes of the character behind it.
    fn escaped(&mut self, word: &mut String) {
        match self.text.next() {
            Some(char @ ('"' | '\'' | '\\')) => word.push(char),
            Some('t') => word.push('\t'),
            Some('r') => word.push('\r'),
            Some('n') => word.push('\n'),
            Some(char) => word.extend(['\\', char]),
            None => word.push('\\'),
        }
    }

    fn unexpected(&self, token: &Token) -> SyntaxError {
        self.error(match token {
            Token::Closing => Mistake::Closing,
            Token::End => Mistake::End,
            Token::Semicolon => Mistake::Unexpected(';'),
            Token::Opening => Mistake::Unexpected('{'),
            Token::Unexpected(char) => Mistake::Unexpected(*char),
            Token::Word(word, _) => Mistake::Unexpected(word.chars().next().unwrap_or('"')),
        })
    }

    fn error(&self, mistake: Mistake) -> SyntaxError {
        let place = Place { file: Rc::clone(&self.file), line: self.text.line };
        SyntaxError { place, mistake }
    }
}

fn is_blank(char: char) -> bool {
    matches!(char, ' ' | '\t' | '\r' | '\n')
}

/// The characters of a text, with the line they are on.
struct Chars<'t> {
    text: Peekable<std::str::Chars<'t>>,
    line: usize,
}

impl<'t> Chars<'t> {
    fn new(text: &'t str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self { text: text.chars().peekable(), line: 1 }
    }

    fn peek(&mut self) -> Option<char> {
        self.text.peek().copied()
    }

    fn next(&mut self) -> Option<char> {
        let char = self.text.next()?;
        self.line += usize::from(char == '\n');
        Some(char)
    }

    /// The character behind white space and comments, which is left.
    fn after_blanks(&mut self) -> Option<char> {
        loop {
            let char = self.peek()?;
            if char == '#' {
                while self.peek().is_some_and(|char| char != '\n') {
                    self.next();
                }
            } else if is_blank(char) {
                self.next();
            } else {
                return Some(char);
            }
        }
    }
}
