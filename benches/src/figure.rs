//! One figure, ours beside a peer's.

use serde_json::json;

pub struct Printer {
    pub json: bool,
}

impl Printer {
    /// Prints what one case came to, for us and for a peer, in `unit`. The ratio is that of the
    /// peer's cost to ours: above 1, ours is better; for rates it is ours to the peer's.
    pub fn print(&self, case: &str, ours: f64, peer: &str, theirs: f64, unit: &str) {
        let ratio = if unit.ends_with("/s") { ours / theirs } else { theirs / ours };
        if self.json {
            let figure = json!({
                "group": "guard", "case": case, "ours_ns": ours.round(), "peer": peer,
                "peer_ns": theirs.round(), "ratio": (ratio * 1000.0).round() / 1000.0, "unit": unit,
            });
            println!("{figure}");
        } else {
            println!(
                "{case:<18} ours {ours:>12.0} {unit:<8} {peer:<14} {theirs:>12.0} {unit:<8} ×{ratio:.2}"
            );
        }
    }
}
