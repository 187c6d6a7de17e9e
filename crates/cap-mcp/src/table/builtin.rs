/// The tables that ship with this crate, by name, as TOML: for the servers that people use first.
/// Each is tested against what the server itself lists.
pub const BUILTIN_TABLES: [(&str, &str); 5] = [
    ("demo", include_str!("../../tables/demo.toml")),
    ("mcp-server-git", include_str!("../../tables/mcp-server-git.toml")),
    ("mcp-server-time", include_str!("../../tables/mcp-server-time.toml")),
    ("server-everything", include_str!("../../tables/server-everything.toml")),
    ("server-filesystem", include_str!("../../tables/server-filesystem.toml")),
];

/// A shipped table as TOML.
#[must_use]
pub fn builtin_table(name: &str) -> Option<&'static str> {
    BUILTIN_TABLES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}
