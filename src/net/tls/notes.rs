//! Notes taken during a handshake.
//!
//! `rustls` accepts only an error code from a verifier, and passes it on without the certificates. The
//! verifier therefore stores what the user needs to know about the certificates in the notes of the handshake
//! being polled ([`with_notes`]).

use std::cell::RefCell;

use super::certificate::CertificateFacts;
use super::rejection::Rejection;

tokio::task_local! {
    /// The notes of the handshake being polled.
    static NOTES: RefCell<Notes>;
}

/// What was learned during one handshake.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Why the broker's certificate was refused.
    pub(super) rejection: Option<Rejection>,
    /// The broker's certificates if they were refused, its own first.
    pub(super) refused: Vec<CertificateFacts>,
    /// The server requested a certificate and there was none to present.
    pub(super) certificate_wanted: bool,
}

/// Runs a handshake and returns the notes taken during it.
pub(super) async fn with_notes<F: Future>(handshake: F) -> (F::Output, Notes) {
    let noted = async {
        let outcome = handshake.await;
        (outcome, NOTES.with(RefCell::take))
    };
    NOTES.scope(RefCell::default(), noted).await
}

pub(super) fn note(write: impl FnOnce(&mut Notes)) {
    // Outside `with_notes` there is no handshake, and the note is dropped.
    let _ = NOTES.try_with(|notes| write(&mut notes.borrow_mut()));
}
