//! Group `guard`: what the guard adds to a call over stdio, against the bundled server, with a path
//! grant and a limit, the store attached and every ruling written before the call goes out.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use crate::figure::Printer;
use crate::pipe::{Client, nanos};

/// The hidden command of the bundled server: its process is not counted as anybody's.
const SERVER: &str = "demo-server";

pub fn run(printer: &Printer, smoke: bool) -> ExitCode {
    let Some(guard) = std::env::var_os("MCP_GUARD_BIN").map(PathBuf::from) else {
        eprintln!(
            "MCP_GUARD_BIN must name a release build of mcp-guard; run `cargo xtask bench guard`"
        );
        return ExitCode::from(2);
    };
    let stage = Stage::set(&guard);
    let (pairs, calls, starts) = if smoke { (50, 500, 2) } else { (4000, 20_000, 20) };
    let mut sides = stage.sides();
    let mut bare = stage.start("bare", &stage.server());
    let mut clients: Vec<(&str, Client)> =
        sides.drain(..).map(|(name, command)| (name, stage.start(name, &command))).collect();

    let added = added(&mut bare, &mut clients, pairs);
    for (case, percent) in [("added-p50", 50), ("added-p99", 99)] {
        let of = |samples: &Samples| samples.added(percent);
        compare(printer, case, &added, of, "ns");
    }
    let rates: Vec<(&str, f64)> = clients
        .iter_mut()
        .map(|(name, client)| {
            // The slow peers are asked for less, so that a run ends.
            let calls = if matches!(*name, "guard" | "relay") { calls } else { calls / 20 };
            (*name, client.flood("report.txt", calls, 64))
        })
        .collect();
    let rate = bare.flood("report.txt", calls, 64);
    compare(printer, "calls-per-second", &rates, |rate| *rate, "calls/s");
    printer.print("calls-per-second", of(&rates, "guard"), "bare", rate, "calls/s");

    let resident: Vec<(&str, f64)> =
        clients.iter().map(|(name, client)| (*name, client.resident(SERVER))).collect();
    compare(printer, "resident-bytes", &resident, |bytes| *bytes, "bytes");

    let cpu: Vec<(&str, f64)> = clients
        .iter_mut()
        .map(|(name, client)| {
            let calls = if smoke { 50 } else { 1000 };
            let before = client.cpu(SERVER);
            for _ in 0..calls {
                client.call("report.txt");
            }
            (*name, (client.cpu(SERVER) - before) / f64::from(calls))
        })
        .collect();
    compare(printer, "cpu-per-call", &cpu, |cpu| *cpu, "ns");
    drop(clients);

    let ours = first_byte(&stage, &stage.guarded(&[this_program(), "first-byte".into()]), starts);
    let relay = first_byte(&stage, &stage.relay(&[this_program(), "first-byte".into()]), starts);
    printer.print("first-byte", ours, "relay", relay, "ns");
    ExitCode::SUCCESS
}

type Named<'a, T> = [(&'a str, T)];

fn compare<T>(
    printer: &Printer,
    case: &str,
    all: &Named<'_, T>,
    of: impl Fn(&T) -> f64,
    unit: &str,
) {
    let ours = all.iter().find(|(name, _)| *name == "guard").map(|(_, value)| of(value));
    for (name, value) in all.iter().filter(|(name, _)| *name != "guard") {
        printer.print(case, ours.unwrap_or(f64::NAN), name, of(value), unit);
    }
}

fn of(all: &Named<'_, f64>, wanted: &str) -> f64 {
    all.iter().find(|(name, _)| *name == wanted).map_or(f64::NAN, |(_, value)| *value)
}

/// Calls with and without something in between, in turn.
#[derive(Default)]
struct Samples {
    with: Vec<Duration>,
    without: Vec<Duration>,
}

impl Samples {
    /// The percentile of the calls with, less that of the calls without.
    fn added(&self, percent: usize) -> f64 {
        let at = |samples: &[Duration]| {
            let mut sorted = samples.to_vec();
            sorted.sort();
            sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)].as_nanos() as f64
        };
        at(&self.with) - at(&self.without)
    }
}

fn added<'a>(
    bare: &mut Client,
    clients: &mut [(&'a str, Client)],
    pairs: usize,
) -> Vec<(&'a str, Samples)> {
    let mut all: Vec<(&str, Samples)> =
        clients.iter().map(|(name, _)| (*name, Samples::default())).collect();
    for pair in 0..pairs {
        for ((name, client), (_, samples)) in clients.iter_mut().zip(&mut all) {
            if !matches!(*name, "guard" | "relay") && pair % 20 != 0 {
                continue;
            }
            samples.without.push(bare.call("report.txt"));
            samples.with.push(client.call("report.txt"));
        }
    }
    all
}

/// From the start of a process to the first byte of the client at its server: the median.
fn first_byte(stage: &Stage, command: &[String], starts: usize) -> f64 {
    let mut taken: Vec<f64> = (0..starts)
        .map(|_| {
            let start = nanos();
            let mut client = Client::start(command, &stage.environment());
            let answer = client.request("initialize", serde_json::json!({}));
            let at = answer["result"]["at"].as_str().and_then(|at| at.parse::<u128>().ok());
            at.unwrap_or_default().saturating_sub(start) as f64
        })
        .collect();
    taken.sort_by(f64::total_cmp);
    taken[taken.len() / 2]
}

struct Stage {
    guard: String,
    folder: PathBuf,
    e2e: Option<PathBuf>,
}

impl Stage {
    fn set(guard: &Path) -> Self {
        let folder = std::env::temp_dir().join(format!("mcp-guard-bench-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("files")).unwrap();
        std::fs::write(folder.join("files/report.txt"), "all is well\n").unwrap();
        let files = folder.join("files").display().to_string();
        let policy = format!(
            "version = 1\nserver = \"demo\"\ntool_table = \"demo\"\nbase = {files:?}\n\n[session]\n\
             principal = \"agent\"\nresource_type = \"path\"\nresource = {files:?}\n\
             operations = [\"read\", \"list\"]\n\n[session.constraints]\n\
             rate_limit = {{ max = 1000000000, per_seconds = 31622400 }}\n"
        );
        std::fs::write(folder.join("policy.toml"), policy).unwrap();
        let e2e = std::env::var_os("MCP_SECURITY_E2E").map(PathBuf::from);
        Self { guard: guard.display().to_string(), folder, e2e }
    }

    fn start(&self, name: &str, command: &[String]) -> Client {
        eprintln!("starting {name}");
        let mut client = Client::start(command, &self.environment());
        client.initialize();
        for _ in 0..20 {
            client.call("report.txt");
        }
        client
    }

    fn server(&self) -> Vec<String> {
        vec![self.guard.clone(), SERVER.into(), self.path("files")]
    }

    fn guarded(&self, server: &[String]) -> Vec<String> {
        let options = [
            "run",
            "--policy",
            &self.path("policy.toml"),
            "--state-dir",
            &self.path("state"),
            "--",
        ];
        let options = options.into_iter().map(str::to_owned);
        [self.guard.clone()].into_iter().chain(options).chain(server.iter().cloned()).collect()
    }

    fn relay(&self, server: &[String]) -> Vec<String> {
        [this_program(), "relay".into()].into_iter().chain(server.iter().cloned()).collect()
    }

    /// Us and the peers. Those that are not installed are named and left out.
    fn sides(&self) -> Vec<(&'static str, Vec<String>)> {
        let server = self.server();
        let mut sides = vec![("guard", self.guarded(&server)), ("relay", self.relay(&server))];
        let Some(e2e) = &self.e2e else {
            eprintln!(
                "MCP_SECURITY_E2E is not set: the peers FastMCP and supergateway are left out"
            );
            return sides;
        };
        let script = self.folder.join("proxy.py");
        let command = serde_json::json!(server[0]);
        let arguments = serde_json::json!(server[1..]);
        let text = format!(
            "from fastmcp.server import create_proxy\nfrom fastmcp.client.transports import StdioTransport\n\
             create_proxy(StdioTransport({command}, {arguments})).run(transport='stdio', show_banner=False)\n"
        );
        std::fs::write(&script, text).unwrap();
        sides.push((
            "fastmcp",
            vec![e2e.join("py/bin/python").display().to_string(), script.display().to_string()],
        ));
        sides.push(("supergateway", self.supergateway(e2e)));
        sides
    }

    /// From stdio to HTTP and back: supergateway has no stdio on both sides.
    fn supergateway(&self, e2e: &Path) -> Vec<String> {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let program = e2e.join("npm/node_modules/.bin/supergateway").display().to_string();
        let server = self.server().join(" ");
        let script = format!(
            "{program} --stdio '{server}' --outputTransport streamableHttp --stateful --port {port} --logLevel none & \
             up=$!; for i in $(seq 100); do (exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null && break; sleep 0.1; done; \
             {program} --streamableHttp http://127.0.0.1:{port}/mcp --logLevel none; kill $up"
        );
        vec!["bash".into(), "-c".into(), script]
    }

    fn environment(&self) -> Vec<(String, String)> {
        let path = std::env::var("PATH").unwrap_or_default();
        let node =
            self.e2e.as_ref().map(|e2e| e2e.join("node/node_modules/.bin").display().to_string());
        vec![("PATH".into(), node.map_or(path.clone(), |node| format!("{node}:{path}")))]
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn this_program() -> String {
    std::env::current_exe().unwrap().display().to_string()
}
