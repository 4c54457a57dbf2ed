//! What is noted during a handshake.
//!
//! `rustls` accepts only an error code from a verifier, and passes it on without the certificates. What the
//! user needs to know about the certificates is therefore noted during the verification, in notes that
//! belong to the handshake being polled ([`with_notes`]).

use std::cell::RefCell;

use super::certificate::CertificateFacts;
use super::rejection::Rejection;

tokio::task_local! {
    /// The notes of the handshake that is being polled.
    static NOTES: RefCell<Notes>;
}

/// What was learned during one handshake.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Why the broker's certificate was refused.
    pub(super) rejection: Option<Rejection>,
    /// The certificates that the broker presented, if they were refused, its own first.
    pub(super) refused: Vec<CertificateFacts>,
    /// The server asked for a certificate and we had none.
    pub(super) certificate_wanted: bool,
}

/// Runs a handshake and hands back what was noted during it.
pub(super) async fn with_notes<F: Future>(handshake: F) -> (F::Output, Notes) {
    let noted = async {
        let outcome = handshake.await;
        (outcome, NOTES.with(RefCell::take))
    };
    NOTES.scope(RefCell::default(), noted).await
}

pub(super) fn note(write: impl FnOnce(&mut Notes)) {
    // Outside `with_notes` there is no handshake to take notes of.
    let _ = NOTES.try_with(|notes| write(&mut notes.borrow_mut()));
}
