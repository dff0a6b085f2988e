mod conformance;
mod counts;
mod elections;
mod net;
mod takeover;
