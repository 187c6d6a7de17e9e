use core::fmt;

/// What is done to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Operation {
    /// Call a tool or a method. Granted with every capability that is not of type `tool` or
    /// `method`: there the tool is bound by `allowed_tools` and the tool table.
    Call,
    /// Remove a file or a folder, or move it away. URL: `DELETE`.
    Delete,
    /// Run a program.
    Execute,
    /// See the names in a folder and the metadata of what is there.
    List,
    /// Read content. URL: `GET`, `HEAD`.
    Read,
    /// Create or change content, folders included. URL: `POST`, `PUT`, `PATCH`.
    Write,
}

impl Operation {
    /// All operations, in the order of their names.
    pub const ALL: [Self; 6] =
        [Self::Call, Self::Delete, Self::Execute, Self::List, Self::Read, Self::Write];

    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Delete => "delete",
            Self::Execute => "execute",
            Self::List => "list",
            Self::Read => "read",
            Self::Write => "write",
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Call => 1,
            Self::Delete => 2,
            Self::Execute => 4,
            Self::List => 8,
            Self::Read => 16,
            Self::Write => 32,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of operations. On the wire: a list of names, or `["*"]` for all.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Operations(u8);

impl Operations {
    /// No operation.
    pub const NONE: Self = Self(0);
    /// Every operation.
    pub const ALL: Self = Self(0b11_1111);
    /// `call` alone: what a tool or a method asks for.
    pub const CALL: Self = Self(Operation::Call.bit());

    /// This set and one more.
    #[must_use]
    pub const fn with(self, operation: Operation) -> Self {
        Self(self.0 | operation.bit())
    }

    /// Whether `operation` is in it.
    #[must_use]
    pub const fn contains(self, operation: Operation) -> bool {
        self.0 & operation.bit() != 0
    }

    /// Whether all of `self` is in `other`.
    #[must_use]
    pub const fn is_subset(self, other: Self) -> bool {
        self.0 & !other.0 == 0
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

    /// What `self` has and `other` has not.
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether no operation is in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The operations in it, in the order of their names.
    pub fn iter(self) -> impl Iterator<Item = Operation> {
        Operation::ALL.into_iter().filter(move |operation| self.contains(*operation))
    }
}

impl FromIterator<Operation> for Operations {
    fn from_iter<I: IntoIterator<Item = Operation>>(operations: I) -> Self {
        operations.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Debug for Operations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl fmt::Display for Operations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, operation) in self.iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{operation}")?;
        }
        Ok(())
    }
}

/// A bit set of named items is a sorted list of names on the wire; `["*"]` reads as all of them.
#[cfg(feature = "serde")]
macro_rules! serde_as_name_list {
    ($set:ident, $item:ident) => {
        impl serde::Serialize for $set {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_seq(self.iter())
            }
        }

        impl<'de> serde::Deserialize<'de> for $set {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Names;

                impl<'de> serde::de::Visitor<'de> for Names {
                    type Value = $set;

                    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                        f.write_str("a list of names")
                    }

                    fn visit_seq<A: serde::de::SeqAccess<'de>>(
                        self,
                        mut names: A,
                    ) -> Result<$set, A::Error> {
                        let mut set = $set::NONE;
                        let mut all = false;
                        while let Some(Name(item)) = names.next_element()? {
                            let free =
                                !all && item.map_or(set.is_empty(), |one| !set.contains(one));
                            if !free {
                                let name = item.filter(|_| !all).map_or("*", $item::name);
                                return Err(serde::de::Error::custom(alloc::format!(
                                    "`{name}` is listed twice, or `*` not alone"
                                )));
                            }
                            all = item.is_none();
                            set = item.map_or(set, |one| set.with(one));
                        }
                        Ok(if all { $item::ALL.into_iter().collect() } else { set })
                    }
                }

                /// `None` for `*`.
                struct Name(Option<$item>);

                impl<'de> serde::Deserialize<'de> for Name {
                    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                        from.deserialize_str(NameText)
                    }
                }

                struct NameText;

                impl serde::de::Visitor<'_> for NameText {
                    type Value = Name;

                    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                        f.write_str("a string")
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Name, E> {
                        let item = $item::ALL.into_iter().find(|item| item.name() == text);
                        if item.is_some() || text == "*" {
                            return Ok(Name(item));
                        }
                        let known = $item::ALL.map($item::name).join(", ");
                        Err(E::custom(alloc::format!(
                            "unknown name `{}`, expected `*` alone or some of: {known}",
                            text.escape_debug()
                        )))
                    }
                }

                deserializer.deserialize_seq(Names)
            }
        }
    };
}
#[cfg(feature = "serde")]
pub(crate) use serde_as_name_list;

#[cfg(feature = "serde")]
serde_as_name_list!(Operations, Operation);
