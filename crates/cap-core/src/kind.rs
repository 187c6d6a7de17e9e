use core::fmt;

/// What a request is about. Every request has exactly one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Kind {
    /// A program with its argument vector.
    Command,
    /// A protocol method other than a tool call, such as `resources/read`.
    Method,
    /// A path of a file system.
    Path,
    /// A tool of a server, such as `fs/read_file`.
    Tool,
    /// A URL.
    Url,
}

impl Kind {
    /// All kinds, in the order of their names.
    pub const ALL: [Self; 5] = [Self::Command, Self::Method, Self::Path, Self::Tool, Self::Url];

    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Method => "method",
            Self::Path => "path",
            Self::Tool => "tool",
            Self::Url => "url",
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Command => 1,
            Self::Method => 2,
            Self::Path => 4,
            Self::Tool => 8,
            Self::Url => 16,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of kinds.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kinds(u8);

impl Kinds {
    /// No kind.
    pub const NONE: Self = Self(0);
    /// The kinds of resources that a tool's argument can name.
    pub const RESOURCES: Self = Self(Kind::Command.bit() | Kind::Path.bit() | Kind::Url.bit());

    /// This set and one more.
    #[must_use]
    pub const fn with(self, kind: Kind) -> Self {
        Self(self.0 | kind.bit())
    }

    /// Whether `kind` is in it.
    #[must_use]
    pub const fn contains(self, kind: Kind) -> bool {
        self.0 & kind.bit() != 0
    }

    /// What both sets have.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What either set has.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether no kind is in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The kinds in it, in the order of their names.
    pub fn iter(self) -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(move |kind| self.contains(*kind))
    }
}

impl FromIterator<Kind> for Kinds {
    fn from_iter<I: IntoIterator<Item = Kind>>(kinds: I) -> Self {
        kinds.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Debug for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(feature = "serde")]
crate::operation::serde_as_name_list!(Kinds, Kind);

/// The type of a capability's resource: one kind, or `any` for the authority over everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum ResourceType {
    /// Everything, of every kind; its resource is `*`. The top of the lattice.
    Any,
    /// Programs; the resource is a program, compared exactly, or `*`.
    Command,
    /// Protocol methods; the resource is a method such as `prompts/get`, `prompts/*` or `*`.
    Method,
    /// Paths; the resource is an absolute path pattern.
    Path,
    /// Tools; the resource is `server/tool`, `server/*` or `*`.
    Tool,
    /// URLs; the resource is `https://host[:port][/path]`, `https://*.suffix`, or `*`.
    Url,
}

impl ResourceType {
    /// The kind of requests that this type permits; `None` for `any`.
    #[must_use]
    pub const fn kind(self) -> Option<Kind> {
        match self {
            Self::Any => None,
            Self::Command => Some(Kind::Command),
            Self::Method => Some(Kind::Method),
            Self::Path => Some(Kind::Path),
            Self::Tool => Some(Kind::Tool),
            Self::Url => Some(Kind::Url),
        }
    }
}

impl ResourceType {
    fn name(self) -> &'static str {
        self.kind().map_or("any", Kind::name)
    }
}

impl fmt::Display for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl core::str::FromStr for ResourceType {
    type Err = crate::ConstraintError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Any, Self::Command, Self::Method, Self::Path, Self::Tool, Self::Url]
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| {
                crate::ConstraintError::new(
                    "resource_type",
                    text,
                    "one of `any command method path tool url` is wanted",
                )
            })
    }
}

#[cfg(feature = "serde")]
crate::id::deserialize_from_str!(ResourceType);
