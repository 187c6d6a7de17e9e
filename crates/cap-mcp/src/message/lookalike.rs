//! Keys that some reader, or the reader's user, takes for a key that decides.
//!
//! Readers that match keys without regard to case exist (CVE-2026-27896: a Go SDK, which also takes
//! U+017F for `s`), and so do readers that accept a second spelling of a key (the Python SDK reads
//! `meta` as `_meta` and `input_responses` as `inputResponses`).

use crate::json::Entry;

/// Whose known keys a key is held against.
#[derive(Clone, Copy, Debug)]
pub(super) enum Context {
    Envelope,
    Params,
    Meta,
}

impl Context {
    const fn known(self) -> &'static [&'static str] {
        match self {
            Self::Envelope => &["jsonrpc", "id", "method", "params", "result", "error"],
            Self::Params => &PARAMS,
            Self::Meta => &META,
        }
    }
}

/// The members of `params` of any method, all revisions.
const PARAMS: [&str; 41] = [
    "_meta",
    "name",
    "arguments",
    "uri",
    "task",
    "cursor",
    "level",
    "logger",
    "data",
    "requestId",
    "reason",
    "progressToken",
    "progress",
    "total",
    "message",
    "protocolVersion",
    "capabilities",
    "clientInfo",
    "ref",
    "argument",
    "context",
    "inputResponses",
    "requestState",
    "notifications",
    "taskId",
    "messages",
    "modelPreferences",
    "systemPrompt",
    "includeContext",
    "temperature",
    "maxTokens",
    "stopSequences",
    "metadata",
    "tools",
    "toolChoice",
    "mode",
    "requestedSchema",
    "elicitationId",
    "url",
    "status",
    "ttl",
];

/// The keys of `_meta` that the protocol or this project gives a meaning.
const META: [&str; 14] = [
    "progressToken",
    super::VERSION_META,
    "io.modelcontextprotocol/clientInfo",
    "io.modelcontextprotocol/clientCapabilities",
    "io.modelcontextprotocol/logLevel",
    "io.modelcontextprotocol/subscriptionId",
    "io.modelcontextprotocol/serverInfo",
    "io.modelcontextprotocol/related-task",
    "io.modelcontextprotocol/tasks",
    "traceparent",
    "tracestate",
    "baggage",
    super::AUTHORITY_META,
    super::DENIAL_META,
];

/// Characters of a folded key, more than any known key has: enough to tell it from all of them.
const LONGER_THAN_KNOWN: usize = 64;

/// Whether `key` is none of the known keys but can be taken for one.
pub(super) fn is_ambiguous(context: Context, key: &str) -> bool {
    let known = context.known();
    if known.contains(&key) {
        return false;
    }
    let folded = fold(key);
    known.iter().any(|known| folds_equal(&folded, known))
}

/// Whether the key of an entry can be taken for `known`, or is it.
pub(super) fn folds_to(entry: &Entry<'_>, known: &str) -> bool {
    entry.key == known || folds_equal(&fold(&entry.key), known)
}

fn folds_equal(folded: &str, known: &str) -> bool {
    let mut plain = known.chars().filter(|c| !is_separator(*c)).map(|c| c.to_ascii_lowercase());
    folded.chars().all(|c| plain.next() == Some(c)) && plain.next().is_none()
}

/// A key without regard to case, width, style, script, separators and invisible characters, up to
/// the first NUL.
fn fold(key: &str) -> String {
    let visible = key.chars().take_while(|c| *c != '\0').filter(|c| !is_invisible(*c)).map(plain);
    // Upper case first: U+017F and U+0131 have plain upper cases, ligatures come apart.
    visible
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .filter(|c| !is_invisible(*c) && !is_separator(*c))
        .take(LONGER_THAN_KNOWN)
        .collect()
}

const fn is_separator(c: char) -> bool {
    matches!(c, '_' | '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{203f}' | '\u{2040}')
}

/// Blanks, controls, combining marks, format characters, variation selectors and tags.
fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
            | '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
            | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// The ASCII character that `c` is a form of, or looks like; else `c`.
fn plain(c: char) -> char {
    if c.is_ascii() {
        return c;
    }
    let code = u32::from(c);
    let offset = match code {
        // Full-width forms.
        0xff01..=0xff5e => code - 0xff01 + u32::from('!'),
        // Mathematical letters, in alphabets of 52, and digits, in runs of ten.
        0x1d400..=0x1d6a3 => letter((code - 0x1d400) % 52),
        0x1d7ce..=0x1d7ff => (code - 0x1d7ce) % 10 + u32::from('0'),
        // Letters in circles, parentheses and squares.
        0x24b6..=0x24e9 => letter(code - 0x24b6),
        0x249c..=0x24b5 => code - 0x249c + u32::from('a'),
        0x1f110..=0x1f129 => code - 0x1f110 + u32::from('a'),
        0x1f130..=0x1f149 => code - 0x1f130 + u32::from('a'),
        0x1f150..=0x1f169 => code - 0x1f150 + u32::from('a'),
        0x1f170..=0x1f189 => code - 0x1f170 + u32::from('a'),
        // Regional indicators.
        0x1f1e6..=0x1f1ff => code - 0x1f1e6 + u32::from('a'),
        _ => return homoglyph(c),
    };
    char::from_u32(offset).unwrap_or(c)
}

/// The `nth` of A to Z, a to z.
fn letter(nth: u32) -> u32 {
    if nth < 26 { nth + u32::from('A') } else { nth - 26 + u32::from('a') }
}

/// Letters of other scripts and blocks that are drawn like a Latin one.
const fn homoglyph(c: char) -> char {
    match c {
        'ª' | 'ɑ' | 'Α' | 'α' | 'А' | 'а' | 'ӑ' | 'ӓ' | 'ᴀ' | 'ᵃ' | 'ₐ' | 'ⓐ' | 'ⲁ' | 'ꭺ' => {
            'a'
        }
        'ʙ' | 'Β' | 'β' | 'В' | 'Ь' | 'в' | 'ь' | 'Ꮟ' | 'ᴃ' | 'ᵇ' => 'b',
        '¢' | 'ϲ' | 'Ϲ' | 'С' | 'с' | 'ᴄ' | 'ᶜ' | 'ℂ' | 'ℭ' | 'Ⅽ' | 'ⅽ' | 'ⲥ' | 'ꮯ' => {
            'c'
        }
        'Ԁ' | 'ԁ' | 'ᴅ' | 'ᵈ' | 'ⅅ' | 'ⅆ' | 'Ⅾ' | 'ⅾ' | 'ꭰ' => 'd',
        'Ε' | 'ε' | 'Є' | 'Е' | 'е' | 'є' | 'ᴇ' | 'ᵉ' | 'ₑ' | '℮' | 'ℯ' | 'ℰ' | 'ⅇ' | 'ⲉ' | 'ꭼ' => {
            'e'
        }
        'Ϝ' | 'ϝ' | 'ᶠ' | 'ℱ' | 'ꜰ' | 'ꬵ' => 'f',
        'ɡ' | 'ɢ' | 'Ԍ' | 'ԍ' | 'ց' | 'ᵍ' | 'ᶃ' | 'ℊ' => 'g',
        'ʜ' | 'ʰ' | 'Η' | 'η' | 'Н' | 'н' | 'Һ' | 'һ' | 'հ' | 'ₕ' | 'ℋ' | 'ℌ' | 'ℍ' | 'ℎ' | 'ℏ' => {
            'h'
        }
        'ı' | 'ɩ' | 'ɪ' | 'Ι' | 'ι' | 'І' | 'і' | 'ӏ' | 'ᵢ' | 'ⁱ' | 'ℐ' | 'ℑ' | 'ℹ' | 'ⅈ' | 'Ⅰ'
        | 'ⅰ' | 'ⲓ' => 'i',
        'ʲ' | 'ϳ' | 'Ј' | 'ј' | 'յ' | 'ᴊ' | 'ⅉ' | 'ⱼ' => 'j',
        'Κ' | 'κ' | 'К' | 'к' | 'ᴋ' | 'ᵏ' | 'ₖ' | 'ⲕ' => 'k',
        'ǀ' | 'ʟ' | 'ˡ' | 'ₗ' | 'ℒ' | 'ℓ' | 'Ⅼ' | 'ⅼ' | '∣' => 'l',
        'µ' | 'Μ' | 'μ' | 'М' | 'м' | 'ᴍ' | 'ᵐ' | 'ₘ' | 'ℳ' | 'Ⅿ' | 'ⅿ' => 'm',
        'ɴ' | 'Ν' | 'п' | 'ո' | 'ⁿ' | 'ₙ' | 'ℕ' => 'n',
        'º' | 'Ο' | 'ο' | 'σ' | 'О' | 'о' | 'օ' | 'ഠ' | '๐' | '໐' | 'ᴏ' | 'ᵒ' | 'ₒ' | 'ℴ' | 'ⲟ' => {
            'o'
        }
        'Ρ' | 'ρ' | 'Р' | 'р' | 'ᴘ' | 'ᵖ' | 'ₚ' | '℗' | 'ℙ' | 'ⲣ' => 'p',
        'ʠ' | 'Ԛ' | 'ԛ' | 'գ' | 'ℚ' => 'q',
        'ʀ' | 'ʳ' | 'Г' | 'г' | 'ᴦ' | 'ᵣ' | 'ℛ' | 'ℜ' | 'ℝ' => 'r',
        'ˢ' | 'Ѕ' | 'ѕ' | 'ₛ' | 'ꜱ' => 's',
        'Τ' | 'τ' | 'Т' | 'т' | 'ᴛ' | 'ᵗ' | 'ₜ' | 'ⲧ' => 't',
        'ʋ' | 'υ' | 'ц' | 'ս' | 'ᴜ' | 'ᵘ' | 'ᵤ' => 'u',
        'ν' | 'Ѵ' | 'ѵ' | 'ᴠ' | 'ᵛ' | 'ᵥ' | 'Ⅴ' | 'ⅴ' | 'ⱽ' => 'v',
        'ʷ' | 'ω' | 'ш' | 'Ԝ' | 'ԝ' | 'ᴡ' => 'w',
        '×' | 'ˣ' | 'Χ' | 'χ' | 'Х' | 'х' | 'ₓ' | 'Ⅹ' | 'ⅹ' => 'x',
        'ʏ' | 'ʸ' | 'Υ' | 'γ' | 'У' | 'у' | 'Ү' | 'ү' => 'y',
        'Ζ' | 'ᴢ' | 'ᶻ' | 'ℤ' | 'ℨ' => 'z',
        '·' | '․' | '∙' | '⋅' | '。' | '．' => '.',
        '⁄' | '∕' | '╱' | '⧸' | '／' => '/',
        '⁰' | '₀' => '0',
        '²' | '₂' => '2',
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_keys_are_never_ambiguous_and_never_alike() {
        for context in [Context::Envelope, Context::Params, Context::Meta] {
            let mut folded: Vec<String> = context.known().iter().map(|key| fold(key)).collect();
            assert!(context.known().iter().all(|key| !is_ambiguous(context, key)));
            folded.sort();
            let count = folded.len();
            folded.dedup();
            assert_eq!(folded.len(), count, "two known keys fold to the same");
        }
    }

    #[test]
    fn every_known_key_is_recognised_in_disguise() {
        for context in [Context::Envelope, Context::Params, Context::Meta] {
            for key in context.known() {
                assert!(is_ambiguous(context, &key.to_ascii_uppercase()), "{key}");
                assert!(is_ambiguous(context, &format!("{key}\u{200b}")), "{key}");
                assert!(is_ambiguous(context, &format!("\u{ad}{key}")), "{key}");
                assert!(is_ambiguous(context, &format!("{key} ")), "{key}");
                assert!(is_ambiguous(context, &format!("{key}\0x")), "{key}");
                let wide = |c: char| char::from_u32(u32::from(c) + 0xfee0).unwrap();
                assert!(is_ambiguous(context, &key.chars().map(wide).collect::<String>()), "{key}");
            }
        }
    }

    #[test]
    fn look_alikes_of_one_key_are_found() {
        let alike = [
            (Context::Envelope, "param\u{17f}"),
            (Context::Envelope, "Method"),
            (Context::Envelope, "mеthod"),
            (Context::Envelope, "\u{131}d"),
            (Context::Envelope, "re\u{fe0f}sult"),
            (Context::Params, "argument\u{17f}"),
            (Context::Params, "ta\u{17f}\u{212a}"),
            (Context::Params, "meta"),
            (Context::Params, "_Meta"),
            (Context::Params, "input_responses"),
            (Context::Params, "noti\u{fb01}cations"),
            (Context::Params, "𝓃𝒶𝓂𝑒"),
            (Context::Params, "ⓤⓡⓘ"),
            (Context::Params, "na\u{301}me"),
            (Context::Meta, "Progresstoken"),
            (Context::Meta, "progress_token"),
            (Context::Meta, "dev.mcp\u{2011}security/authority"),
            (Context::Meta, "dev․mcp-security/authority"),
            (Context::Meta, "dev.mcp-security∕authority"),
            (Context::Meta, "IO.modelcontextprotocol/protocolVersion"),
        ];
        for (context, key) in alike {
            assert!(is_ambiguous(context, key), "{key}");
        }
    }

    #[test]
    fn other_keys_are_let_through() {
        for key in ["x", "names", "vendor", "argumentsList", "", "日本", "имя", "timeout", "path"]
        {
            assert!(!is_ambiguous(Context::Params, key), "{key}");
        }
        for key in ["com.example/authority", "authority", "com.example/progressToken", "trace"] {
            assert!(!is_ambiguous(Context::Meta, key), "{key}");
        }
        for key in ["extra", "ids", "x-trace", "парамс"] {
            assert!(!is_ambiguous(Context::Envelope, key), "{key}");
        }
    }
}
