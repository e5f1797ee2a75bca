//! The blocks of a configuration in which a request may end, each with what it takes over from those
//! around it.

use crate::location::Matcher;
use crate::syntax::Directive;

/// What a block is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The configuration itself, which may be a part of one that is included somewhere.
    Root,
    Http,
    Server,
    Location(Matcher),
    If,
    LimitExcept,
}

#[derive(Debug)]
struct Block<'c> {
    kind: Kind,
    /// What opens it.
    directive: Option<&'c Directive>,
    directives: &'c [Directive],
    parent: Option<usize>,
}

/// All blocks that matter for requests.
#[derive(Debug, Default)]
pub(crate) struct Sites<'c> {
    blocks: Vec<Block<'c>>,
}

/// One of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Site<'s, 'c> {
    sites: &'s Sites<'c>,
    index: usize,
}

impl PartialEq for Site<'_, '_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.sites, other.sites) && self.index == other.index
    }
}

impl<'c> Sites<'c> {
    pub(crate) fn of(config: &'c [Directive]) -> Self {
        let root = Block { kind: Kind::Root, directive: None, directives: config, parent: None };
        let mut sites = Self { blocks: vec![root] };
        config.iter().for_each(|directive| sites.add(directive, 0));
        sites
    }

    fn add(&mut self, directive: &'c Directive, parent: usize) {
        let outer = self.blocks.get(parent).map(|block| &block.kind);
        let kind = outer.and_then(|outer| kind_of(directive, outer));
        let (Some(kind), Some(directives)) = (kind, directive.block.as_deref()) else { return };
        let index = self.blocks.len();
        let directive = Some(directive);
        self.blocks.push(Block { kind, directive, directives, parent: Some(parent) });
        directives.iter().for_each(|directive| self.add(directive, index));
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = Site<'_, 'c>> {
        (0..self.blocks.len()).map(|index| Site { sites: self, index })
    }

    /// The servers of `stream`, in which there are no requests.
    pub(crate) fn streams(&self) -> impl Iterator<Item = &'c Directive> {
        let root = self.blocks.first().map_or(&[][..], |root| root.directives);
        let streams = root.iter().filter(|directive| directive.name == "stream");
        let inside = streams.flat_map(|stream| stream.block.as_deref().unwrap_or_default());
        inside.filter(|directive| directive.name == "server")
    }

    pub(crate) fn servers(&self) -> impl Iterator<Item = Site<'_, 'c>> {
        self.all().filter(|site| *site.kind() == Kind::Server)
    }
}

/// What a block is in the one around it; `None` for those that no request ends in.
fn kind_of(directive: &Directive, outer: &Kind) -> Option<Kind> {
    Some(match (directive.name.as_str(), outer) {
        ("http", Kind::Root) => Kind::Http,
        ("server", Kind::Root | Kind::Http) => Kind::Server,
        ("location", Kind::Root | Kind::Server | Kind::Location(_)) => {
            Kind::Location(Matcher::read(&directive.arguments)?)
        }
        ("if", Kind::Root | Kind::Server | Kind::Location(_)) => Kind::If,
        ("limit_except", Kind::Location(_)) => Kind::LimitExcept,
        _ => return None,
    })
}

impl<'s, 'c> Site<'s, 'c> {
    fn block(self) -> Option<&'s Block<'c>> {
        self.sites.blocks.get(self.index)
    }

    pub(crate) fn kind(self) -> &'s Kind {
        self.block().map_or(&Kind::Root, |block| &block.kind)
    }

    pub(crate) fn matcher(self) -> Option<&'s Matcher> {
        match self.kind() {
            Kind::Location(matcher) => Some(matcher),
            _ => None,
        }
    }

    /// The directive that opens the block.
    pub(crate) fn directive(self) -> Option<&'c Directive> {
        self.block()?.directive
    }

    pub(crate) fn parent(self) -> Option<Self> {
        let index = self.block()?.parent?;
        Some(Self { index, ..self })
    }

    /// Itself and the blocks around it, the innermost first.
    pub(crate) fn levels(self) -> impl Iterator<Item = Self> {
        std::iter::successors(Some(self), |site| site.parent())
    }

    /// The server that it is in, or is. A part of a configuration may be the inside of one.
    pub(crate) fn server(self) -> Self {
        let server = self.levels().find(|site| *site.kind() == Kind::Server);
        server.unwrap_or(Self { index: 0, ..self })
    }

    /// The blocks right in it.
    pub(crate) fn children(self) -> impl Iterator<Item = Self> {
        self.sites.all().filter(move |site| site.parent() == Some(self))
    }

    /// Itself and all blocks in it.
    pub(crate) fn descendants(self) -> impl Iterator<Item = Self> {
        self.sites.all().filter(move |site| site.levels().any(|level| level == self))
    }

    /// The directives of this name that stand right in it.
    pub(crate) fn own(self, name: &str) -> impl Iterator<Item = &'c Directive> {
        self.directives().iter().filter(move |directive| directive.name == name)
    }

    /// The directives of these names, in the order in which they stand.
    pub(crate) fn own_among(self, names: &[&str]) -> impl Iterator<Item = &'c Directive> {
        self.directives().iter().filter(move |directive| names.contains(&directive.name.as_str()))
    }

    fn directives(self) -> &'c [Directive] {
        self.block().map_or(&[], |block| block.directives)
    }

    /// The directives of this name that hold in it: its own, or those of the first level around it
    /// that has any.
    pub(crate) fn all(self, name: &str) -> Vec<&'c Directive> {
        let levels = self.levels().map(|level| level.own(name).collect::<Vec<_>>());
        levels.into_iter().find(|found| !found.is_empty()).unwrap_or_default()
    }

    /// The last of them.
    pub(crate) fn one(self, name: &str) -> Option<&'c Directive> {
        self.all(name).pop()
    }

    /// Whether a switch is on.
    pub(crate) fn is_on(self, name: &str) -> bool {
        self.one(name).is_some_and(|it| it.arguments.first().is_some_and(|word| word == "on"))
    }
}

/// Words of a directive.
pub(crate) trait Words {
    /// The argument of this number, from 0 on; empty where there is none.
    fn word(&self, index: usize) -> &str;
}

impl Words for Directive {
    fn word(&self, index: usize) -> &str {
        self.arguments.get(index).map_or("", String::as_str)
    }
}
