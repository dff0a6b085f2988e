//! Draws phi over time as an SVG: `cargo run -p quorate-election-demo --bin phi-plot > phi.svg`.
//!
//! A peer that is heard every 100 ms with some jitter is late by 200 ms once, and then crashes. Everything is computed on
//! integers, so the picture is the same everywhere, and a test compares it with the one in the repository.

use std::fmt::Write as _;
use std::io::Write as _;

use quorate_core::{Instant, Rng};
use quorate_election::detector::{Detector, ExponentialPhi, NormalPhi, Phi, PhiConfig};

const WIDTH: u64 = 960;
const HEIGHT: u64 = 320;
const LEFT: u64 = 50;
const TOP: u64 = 40;
/// The span that is drawn, in µs, and the highest phi, in thousandths.
const FROM_US: u64 = 5_000_000;
const SPAN_US: u64 = 4_000_000;
const HIGHEST: u64 = 12_000;

fn main() {
    // a reader that goes away has had enough
    let _ = std::io::stdout().write_all(draw().as_bytes());
}

fn draw() -> String {
    let mut rng = Rng::new(2);
    let mut beats: Vec<u64> = (1..=70).map(|n| n * 100_000 + rng.below(20_000)).collect();
    if let Some(late) = beats.get_mut(59) {
        *late += 80_000; // the 60th is late
    }
    let config = PhiConfig { pause_us: 0, ..PhiConfig::for_interval(100_000) };
    let mut out = frame(&beats);
    let colours = ["#0072b2", "#d55e00"];
    if let (Ok(normal), Ok(exponential)) =
        (NormalPhi::<64>::new(config), ExponentialPhi::<64>::new(config))
    {
        line(&mut out, &beats, normal, NormalPhi::phi, colours[0]);
        line(&mut out, &beats, exponential, ExponentialPhi::phi, colours[1]);
    }
    for (at, (name, colour)) in ["normal", "exponential"].iter().zip(colours).enumerate() {
        let x = LEFT + 10 + 110 * at as u64;
        let _ = writeln!(out, r#"<text x="{x}" y="24" fill="{colour}">phi, {name}</text>"#);
    }
    out.push_str("</svg>\n");
    out
}

/// The axes, the threshold and the heartbeats.
fn frame(beats: &[u64]) -> String {
    let (total, bottom) = (WIDTH + LEFT + 20, TOP + HEIGHT);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {total} {}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        bottom + 50
    );
    for phi in (0..=12).step_by(2) {
        let y = height(phi * 1_000);
        let (colour, dash) = if phi == 8 { ("#c00", "6 4") } else { ("#ddd", "none") };
        let _ = writeln!(
            out,
            r#"<path d="M{LEFT} {y}h{WIDTH}" stroke="{colour}" stroke-dasharray="{dash}"/>"#
        );
        let _ =
            writeln!(out, r#"<text x="{}" y="{}" text-anchor="end">{phi}</text>"#, LEFT - 8, y + 4);
    }
    for &beat in beats.iter().filter(|&&beat| beat >= FROM_US) {
        let _ = writeln!(out, r##"<path d="M{} {bottom}v8" stroke="#333"/>"##, place(beat));
    }
    for second in 5..=9 {
        let x = place(second * 1_000_000);
        let _ = writeln!(
            out,
            r#"<text x="{x}" y="{}" text-anchor="middle">{second} s</text>"#,
            bottom + 26
        );
    }
    let _ = writeln!(
        out,
        r#"<text x="{LEFT}" y="{}">heartbeats as they arrive; the peer crashes after 7 s</text>"#,
        bottom + 44
    );
    out
}

/// Phi at every pixel.
fn line<D: Detector>(
    out: &mut String,
    beats: &[u64],
    mut detector: D,
    phi: fn(&D, Instant) -> Phi,
    colour: &str,
) {
    let mut beats = beats.iter().copied().peekable();
    let mut path = String::new();
    for x in 0..=WIDTH {
        let now = FROM_US + x * SPAN_US / WIDTH;
        while let Some(beat) = beats.next_if(|&beat| beat <= now) {
            detector.heartbeat(Instant::from_micros(beat));
        }
        let y = height(phi(&detector, Instant::from_micros(now)).milli().into());
        let _ = write!(path, "{}{} {y}", if x == 0 { 'M' } else { 'L' }, LEFT + x);
    }
    let _ = writeln!(out, r#"<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>"#);
}

fn place(us: u64) -> u64 {
    LEFT + us.saturating_sub(FROM_US) * WIDTH / SPAN_US
}

fn height(milli: u64) -> u64 {
    TOP + HEIGHT - milli.min(HIGHEST) * HEIGHT / HIGHEST
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_picture_is_the_one_in_the_repository() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/phi.svg");
        let drawn = super::draw();
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, &drawn).ok();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(kept == drawn, "{path} is not what is drawn: UPDATE=1 takes it over");
    }
}
