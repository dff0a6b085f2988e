//! Error messages state the cause and the remedy.

use quorate_core::DecodeError;
use quorate_log::session::{ConfigError, RestoreError, SessionError, SessionId};

fn assert_mentions(error: &dyn std::error::Error, words: &[&str]) {
    let text = error.to_string();
    assert!(words.iter().all(|word| text.contains(word)), "{text:?} lacks one of {words:?}");
}

#[test]
fn session_errors_state_the_cause_and_the_remedy() {
    assert_mentions(&SessionError::Expired, &["session", "expired", "register again"]);
    assert_mentions(&SessionError::TooManySessions, &["too many sessions", "try again later"]);
    assert_mentions(&SessionError::WindowExceeded, &["too many commands", "wait"]);
    assert_mentions(&SessionError::Acknowledged, &["acknowledged"]);
    assert_mentions(&SessionError::AlreadyApplied, &["applied already"]);
    let reason = DecodeError::Truncated.to_string();
    assert_mentions(&SessionError::Malformed(DecodeError::Truncated), &["request", &reason]);
    assert_eq!(SessionId::new(12).to_string(), "12");
}

#[test]
fn config_errors_state_the_cause_and_the_remedy() {
    assert_mentions(&ConfigError::NoSession, &["at least one session", "raise max_sessions"]);
    assert_mentions(&ConfigError::Window, &["window", "1 to 64"]);
    assert_mentions(&ConfigError::Storage, &["storage", "less", "lower max_sessions"]);
}

#[test]
fn restore_errors_state_the_cause_and_the_remedy() {
    assert_mentions(&RestoreError::Version(9), &["version 9", "upgrade"]);
    assert_mentions(&RestoreError::Config, &["another configuration", "start this node"]);
    let reason = DecodeError::Invalid.to_string();
    assert_mentions(&RestoreError::Malformed(DecodeError::Invalid), &["table", &reason]);
}

#[cfg(feature = "serde")]
#[test]
fn typed_errors_state_the_cause() {
    use quorate_log::typed::EncodeError;
    assert_mentions(&EncodeError::BufferFull, &["buffer", "too small"]);
    assert_mentions(&EncodeError::Unsupported, &["type", "postcard"]);
}
