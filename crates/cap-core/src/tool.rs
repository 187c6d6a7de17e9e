use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;
use core::str::FromStr;

use crate::id::{IdError, check_name};

/// A tool of a server: `server/tool`, compared exactly. The server part has no slash.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ToolName(Arc<str>);

impl ToolName {
    /// The tool `tool` of the server `server`.
    ///
    /// # Errors
    /// When either part is empty, too long, or has control or invisible characters, or when `tool`
    /// is `*`.
    pub fn new(server: &str, tool: &str) -> Result<Self, IdError> {
        alloc::format!("{server}/{tool}").parse()
    }

    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The server's part.
    #[must_use]
    pub fn server(&self) -> &str {
        self.0.split_once('/').map_or("", |(server, _)| server)
    }

    /// The tool's part.
    #[must_use]
    pub fn tool(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, tool)| tool)
    }
}

impl FromStr for ToolName {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let (server, tool) = text.split_once('/').unwrap_or_default();
        check_name(server)?;
        check_name(tool)?;
        // SECURITY: as a pattern, this text means every tool of the server.
        if tool == "*" {
            return Err(IdError::TOOL);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for ToolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ToolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Which tools are meant: `server/tool`, every tool of a server (`server/*`), or all (`*`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ToolPattern {
    /// Every tool of every server.
    All,
    /// Every tool of one server.
    Server(String),
    /// One tool.
    Tool(ToolName),
}

impl ToolPattern {
    /// Whether `tool` is meant.
    #[must_use]
    pub fn matches(&self, tool: &ToolName) -> bool {
        match self {
            Self::All => true,
            Self::Server(server) => tool.server() == server,
            Self::Tool(name) => tool == name,
        }
    }

    /// Bytes of its text.
    #[cfg(feature = "serde")]
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::All => 1,
            Self::Server(server) => server.len() + 2,
            Self::Tool(name) => name.as_str().len(),
        }
    }

    /// Whether everything that `self` means, `other` means too.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::All) => true,
            (Self::Server(a), Self::Server(b)) => a == b,
            (Self::Tool(a), b) => b.matches(a),
            _ => false,
        }
    }
}

impl FromStr for ToolPattern {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if text == "*" {
            return Ok(Self::All);
        }
        match text.strip_suffix("/*") {
            Some(server) if !server.contains('/') => {
                check_name(server)?;
                Ok(Self::Server(server.into()))
            }
            _ => text.parse().map(Self::Tool),
        }
    }
}

impl fmt::Display for ToolPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Server(server) => write!(f, "{server}/*"),
            Self::Tool(name) => write!(f, "{name}"),
        }
    }
}

/// Which protocol methods are meant: `prompts/get`, every method of a family (`tasks/*`), or all
/// (`*`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MethodPattern(String);

impl MethodPattern {
    /// Whether `method` is meant.
    #[must_use]
    pub fn matches(&self, method: &str) -> bool {
        self.family().map_or_else(|| self.0 == method, |family| method.starts_with(family))
    }

    /// Whether everything that `self` means, `other` means too.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        match (self.family(), other.family()) {
            (Some(mine), Some(theirs)) => mine.starts_with(theirs),
            (Some(_), None) => false,
            (None, _) => other.matches(&self.0),
        }
    }

    /// The literal beginning of a pattern that ends in `*`.
    fn family(&self) -> Option<&str> {
        self.0.strip_suffix('*')
    }
}

impl FromStr for MethodPattern {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        check_name(text)?;
        let literal = text.strip_suffix('*').map_or(text, |family| family.trim_end_matches('/'));
        if literal.contains('*') || (text.ends_with('*') && text != "*" && !text.ends_with("/*")) {
            return Err(IdError::METHOD);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for MethodPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MethodPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Writes a pattern as the text that reads as it.
#[cfg(feature = "serde")]
macro_rules! serialize_as_text {
    ($($name:ty),+) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )+};
}
#[cfg(feature = "serde")]
pub(crate) use serialize_as_text;

#[cfg(feature = "serde")]
impl serde::Serialize for ToolName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(feature = "serde")]
serialize_as_text!(ToolPattern, MethodPattern);
#[cfg(feature = "serde")]
crate::id::deserialize_from_str!(ToolName, ToolPattern, MethodPattern);
