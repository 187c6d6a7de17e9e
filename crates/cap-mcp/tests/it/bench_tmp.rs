use cap_mcp::*;
use std::time::Instant;
#[test]
fn bench_tmp() {
    let line = br#"{"jsonrpc":"2.0","id":12,"method":"tools/call","params":{"name":"read_text_file","arguments":{"path":"/srv/data/project/src/main.rs","head":20},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"x","version":"1.0.0"},"io.modelcontextprotocol/clientCapabilities":{}}}}"#;
    let table: ToolTable = toml::from_str(builtin_table("server-filesystem").unwrap()).unwrap();
    println!("len {}", line.len());
    for _ in 0..3 {
        let t = Instant::now();
        for _ in 0..1_000_000 {
            std::hint::black_box(read(std::hint::black_box(line)).unwrap());
        }
        println!("read {:?} per M", t.elapsed());
        let Message::Request(r) = read(line).unwrap() else { panic!() };
        let call = r.call().unwrap();
        let t = Instant::now();
        for _ in 0..1_000_000 {
            std::hint::black_box(requests_of(std::hint::black_box(&call), "fs", &table).unwrap());
        }
        println!("map {:?} per M", t.elapsed());
    }
    let big = format!(
        r#"{{"jsonrpc":"2.0","id":12,"method":"x","params":{{"a":[{}]}}}}"#,
        vec![r#"{"k":"some text here","n":123.5}"#; 400_000].join(",")
    );
    let t = Instant::now();
    read(big.as_bytes()).unwrap();
    println!("{} bytes {:?}", big.len(), t.elapsed());
    let keys: Vec<String> = (0..1_000_000).map(|n| format!("\"{n}\":0")).collect();
    let big =
        format!(r#"{{"jsonrpc":"2.0","id":12,"method":"x","params":{{{}}}}}"#, keys.join(","));
    let t = Instant::now();
    read(big.as_bytes()).unwrap();
    println!("{} bytes many keys {:?}", big.len(), t.elapsed());
    let keys: Vec<String> = (0..900_000).map(|n| format!("\"\u{430}{n}\":0")).collect();
    let big =
        format!(r#"{{"jsonrpc":"2.0","id":12,"method":"x","params":{{{}}}}}"#, keys.join(","));
    let t = Instant::now();
    read(big.as_bytes()).unwrap();
    println!("{} bytes many alike keys {:?}", big.len(), t.elapsed());
    let pad = "\u{200b}".repeat(5_000_000);
    let big = format!(r#"{{"jsonrpc":"2.0","id":12,"method":"x","params":{{"{pad}":1}}}}"#);
    let t = Instant::now();
    let _ = read(big.as_bytes());
    println!("{} bytes invisible {:?}", big.len(), t.elapsed());
}
