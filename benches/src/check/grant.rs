//! The grants and the calls that everybody decides on, in nobody's own form.

/// The agent that holds the grant.
pub const AGENT: &str = "agent:reporter";

pub const PATHS: [&str; 3] = ["/srv/projects/alpha", "/srv/projects/beta/src", "/home/agent/work"];
pub const TOOLS: [&str; 3] = [READ_TEXT, "files/write_text", "files/get_info"];
pub const OPERATIONS: [&str; 3] = ["read", "write", "list"];
pub const EXTENSIONS: [&str; 4] = ["csv", "json", "md", "txt"];
pub const MAX_SIZE: i64 = 1 << 20;
/// 2026-12-01T00:00:00Z.
pub const EXPIRES: i64 = 1_796_083_200;

/// The tool whose arguments are constrained.
pub const READ_TEXT: &str = "files/read_text";
pub const ENCODINGS: [&str; 2] = ["utf-8", "base64"];
pub const MAX_HEAD: i64 = 1_000;
/// Monday to Friday, 08:00 to 18:00 an hour ahead of UTC.
pub const WORKDAYS: [&str; 5] = ["mon", "tue", "wed", "thu", "fri"];
pub const FROM_MINUTE: i64 = 8 * 60;
pub const TO_MINUTE: i64 = 18 * 60;
pub const OFFSET_SECONDS: i64 = 3_600;

/// What was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// Three paths, three operations, three tools, four extensions, a size and an expiry.
    Plain,
    /// The same, with the time window and the arguments of one tool: `constraints` then has six
    /// members (`paths`, `allowed_tools`, `allowed_extensions`, `max_file_size`, `time_windows`,
    /// `arguments`), besides `operations` and `expires_at`.
    SixConstraints,
}

/// One call of a tool on one path.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    pub tool: &'static str,
    pub operation: &'static str,
    /// Absolute and lexically normal.
    pub path: &'static str,
    pub size: i64,
    /// Seconds since the Unix epoch.
    pub now: i64,
    pub encoding: &'static str,
    pub head: i64,
}

/// 2026-11-18T10:30:00Z, a Wednesday.
const NOW: i64 = 1_794_997_800;

const fn call(tool: &'static str, operation: &'static str, path: &'static str, size: i64) -> Call {
    Call { tool, operation, path, size, now: NOW, encoding: "utf-8", head: 200 }
}

impl Call {
    const fn at(mut self, now: i64) -> Self {
        self.now = now;
        self
    }

    const fn with(mut self, encoding: &'static str, head: i64) -> Self {
        self.encoding = encoding;
        self.head = head;
        self
    }

    /// The path's extension, which a peer's caller must find out.
    pub fn extension(&self) -> &'static str {
        self.path.rsplit_once('.').map_or("", |(_, extension)| extension)
    }

    /// Day of the week where the window is, for peers whose language has no such function.
    pub fn weekday(&self) -> &'static str {
        const FROM_THURSDAY: [&str; 7] = ["thu", "fri", "sat", "sun", "mon", "tue", "wed"];
        let day = (self.now + OFFSET_SECONDS).div_euclid(86_400).rem_euclid(7);
        FROM_THURSDAY[usize::try_from(day).expect("0 to 6")]
    }

    /// Minute of the day where the window is.
    pub fn minute(&self) -> i64 {
        (self.now + OFFSET_SECONDS).rem_euclid(86_400) / 60
    }
}

/// Permitted by either grant.
pub const ALLOWED: [Call; 8] = [
    call(READ_TEXT, "read", "/srv/projects/alpha/README.md", 2_048),
    call("files/write_text", "write", "/srv/projects/alpha/reports/2026/q3.json", 65_536),
    call(READ_TEXT, "read", "/srv/projects/beta/src/fixtures/users.csv", 9_100),
    call(READ_TEXT, "read", "/home/agent/work/notes/monday.txt", 700),
    call("files/write_text", "write", "/home/agent/work/out/summary.md", 1_048_576),
    call("files/get_info", "list", "/srv/projects/alpha/data/prices.csv", 120_000),
    call(READ_TEXT, "read", "/srv/projects/beta/src/config/default.json", 3_300),
    call("files/write_text", "write", "/srv/projects/beta/src/notes/todo.txt", 12),
];

/// Refused by either grant, each for a reason of its own.
pub const DENIED: [Call; 8] = [
    // The tool.
    call("files/move", "write", "/srv/projects/alpha/README.md", 2_048),
    // The operation.
    call("files/write_text", "delete", "/srv/projects/alpha/reports/2026/q3.json", 0),
    // The path: somewhere else, beside a prefix, above one.
    call(READ_TEXT, "read", "/etc/cron.d/backup.txt", 300),
    call(READ_TEXT, "read", "/srv/projects/alphabet/notes.md", 4_096),
    call(READ_TEXT, "read", "/srv/projects/plan.md", 4_096),
    // The extension.
    call(READ_TEXT, "read", "/home/agent/work/keys/deploy.pem", 1_700),
    // The size.
    call("files/write_text", "write", "/home/agent/work/out/summary.md", 1_048_577),
    // The expiry.
    call(READ_TEXT, "read", "/srv/projects/alpha/README.md", 2_048).at(EXPIRES),
];

/// Permitted by the grant with six constraints: the tool whose arguments it knows, at several
/// hours.
pub const ALLOWED_SIX: [Call; 8] = [
    call(READ_TEXT, "read", "/srv/projects/alpha/README.md", 2_048),
    // Monday, 08:00 there.
    call(READ_TEXT, "read", "/srv/projects/alpha/reports/q3.json", 65_536).at(1_794_812_400),
    call(READ_TEXT, "read", "/srv/projects/beta/src/fixtures/users.csv", 9_100).with("base64", 1),
    // Friday, 17:59 there.
    call(READ_TEXT, "read", "/home/agent/work/notes/monday.txt", 700).at(1_795_193_940),
    call(READ_TEXT, "read", "/home/agent/work/out/summary.md", 1_048_576).with("utf-8", 1_000),
    call(READ_TEXT, "read", "/srv/projects/alpha/data/prices.csv", 120_000).with("base64", 64),
    call(READ_TEXT, "read", "/srv/projects/beta/src/config/default.json", 3_300),
    call(READ_TEXT, "read", "/srv/projects/beta/src/notes/todo.txt", 12).with("utf-8", 10),
];

/// Refused by the grant with six constraints alone.
pub const DENIED_SIX: [Call; 6] = [
    // Saturday; Tuesday, 07:59 and 18:00 there.
    ALLOWED_SIX[0].at(1_795_257_000),
    ALLOWED_SIX[0].at(1_794_898_740),
    ALLOWED_SIX[0].at(1_794_934_800),
    // The arguments.
    ALLOWED_SIX[0].with("latin-1", 200),
    ALLOWED_SIX[0].with("utf-8", 0),
    ALLOWED_SIX[0].with("utf-8", 1_001),
];

/// Something that decides on calls under a grant.
pub trait Evaluator {
    /// A call in its own form, ready to be decided on.
    type Request;

    const NAME: &'static str;
    /// Whether deciding changes a request, so that it can be decided on only once.
    const USES_UP: bool = false;

    /// Whatever can be done once for a grant.
    fn new(grant: Grant) -> Self;

    fn request(&self, call: &Call) -> Self::Request;

    fn permits(&mut self, request: &mut Self::Request) -> bool;
}

/// Decides all the calls whose verdict is known; a wrong one ends the program, since what is
/// decided wrongly needs no measuring.
pub fn assert_verdicts<E: Evaluator>(grant: Grant) {
    let mut evaluator = E::new(grant);
    let mut assert = |calls: &[Call], permitted: bool| {
        for call in calls {
            let mut request = evaluator.request(call);
            let verdict = evaluator.permits(&mut request);
            assert_eq!(verdict, permitted, "{} on {grant:?} and {call:?}", E::NAME);
        }
    };
    assert(&ALLOWED, true);
    assert(&ALLOWED_SIX, true);
    assert(&DENIED, false);
    assert(&DENIED_SIX, grant == Grant::Plain);
}
