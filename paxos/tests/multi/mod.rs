mod net;

mod counts;
mod elections;
mod takeover;
