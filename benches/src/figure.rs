//! One figure, ours beside a peer's.

use serde_json::{Value, json};

pub struct Printer {
    pub group: &'static str,
    pub json: bool,
}

impl Printer {
    /// Prints what one case came to, for us and for a peer, in `unit`. The ratio is that of the
    /// peer's cost to ours: above 1, ours is better; for rates it is ours to the peer's.
    pub fn print(&self, case: &str, ours: f64, peer: &str, theirs: f64, unit: &str) {
        let ratio = if unit.ends_with("/s") { ours / theirs } else { theirs / ours };
        if self.json {
            let ratio = (ratio * 1000.0).round() / 1000.0;
            self.print_json(case, ours, (json!(peer), json!(rounded(theirs)), json!(ratio)), unit);
        } else {
            let (ours, theirs) = (rounded(ours), rounded(theirs));
            println!(
                "{case:<25} ours {ours:>12} {unit:<8} {peer:<14} {theirs:>12} {unit:<8} ×{ratio:.2}"
            );
        }
    }

    /// Prints what one case came to where there is nothing to set beside it.
    pub fn print_alone(&self, case: &str, ours: f64, unit: &str) {
        if self.json {
            self.print_json(case, ours, (Value::Null, Value::Null, Value::Null), unit);
        } else {
            println!("{case:<25} ours {:>12} {unit}", rounded(ours));
        }
    }

    fn print_json(&self, case: &str, ours: f64, peer: (Value, Value, Value), unit: &str) {
        let (peer, theirs, ratio) = peer;
        let figure = json!({
            "group": self.group, "case": case, "ours_ns": rounded(ours), "peer": peer,
            "peer_ns": theirs, "ratio": ratio, "unit": unit,
        });
        println!("{figure}");
    }
}

/// Whole, or with one decimal where that says something.
fn rounded(value: f64) -> f64 {
    if value < 1000.0 { (value * 10.0).round() / 10.0 } else { value.round() }
}
