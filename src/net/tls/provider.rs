//! The cryptography for TLS: AWS-LC, through `aws-lc-rs`.
//!
//! Unlike `ring` it has P-521 (certificates and ECDHE), ECDSA on any curve with SHA-256, SHA-384 and SHA-512,
//! and post-quantum key exchange.

use aws_lc_rs::agreement::{ECDH_P521, EphemeralPrivateKey, PublicKey, UnparsedPublicKey, agree_ephemeral};
use aws_lc_rs::rand::SystemRandom;
use tokio_rustls::rustls::crypto::aws_lc_rs::kx_group::{SECP256R1, SECP384R1, X25519, X25519MLKEM768};
use tokio_rustls::rustls::crypto::{
    ActiveKeyExchange, CryptoProvider, SharedSecret, SupportedKxGroup, aws_lc_rs as provider,
};
use tokio_rustls::rustls::{Error as TlsError, NamedGroup, PeerMisbehaved};

/// A provider with all algorithms. It is made only in a run that uses TLS.
pub(super) fn with_all_algorithms() -> CryptoProvider {
    CryptoProvider {
        // The first group costs no round trip with a broker that lacks it: its X25519 half is also sent as a
        // key share of its own.
        kx_groups: vec![X25519MLKEM768, X25519, SECP256R1, SECP384R1, &Secp521r1],
        ..provider::default_provider()
    }
}

/// ECDHE on P-521, which rustls does not offer by default. In TLS 1.2, OpenSSL presents a P-521 certificate
/// only to clients that offer this group [RFC 8422, section 5.1].
#[derive(Debug)]
struct Secp521r1;

impl SupportedKxGroup for Secp521r1 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, TlsError> {
        let random = SystemRandom::new();
        let private = EphemeralPrivateKey::generate(&ECDH_P521, &random);
        let private = private.map_err(|_| TlsError::FailedToGetRandomBytes)?;
        let public = private.compute_public_key().map_err(|_| TlsError::FailedToGetRandomBytes)?;
        Ok(Box::new(Secp521r1Exchange { private, public }))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::secp521r1
    }
}

struct Secp521r1Exchange {
    private: EphemeralPrivateKey,
    public: PublicKey,
}

impl ActiveKeyExchange for Secp521r1Exchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, TlsError> {
        /// Points are sent uncompressed [RFC 8446, section 4.2.8.2].
        const UNCOMPRESSED: u8 = 4;
        let invalid = || TlsError::from(PeerMisbehaved::InvalidKeyShare);
        if peer.first() != Some(&UNCOMPRESSED) {
            return Err(invalid());
        }
        let peer = UnparsedPublicKey::new(&ECDH_P521, peer);
        agree_ephemeral(self.private, peer, invalid(), |secret| Ok(SharedSecret::from(secret)))
    }

    fn pub_key(&self) -> &[u8] {
        self.public.as_ref()
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::secp521r1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p521_key_exchange_agrees_on_one_secret() {
        let (ours, theirs) = (Secp521r1.start().unwrap(), Secp521r1.start().unwrap());
        let (our_key, their_key) = (ours.pub_key().to_vec(), theirs.pub_key().to_vec());
        let secret = ours.complete(&their_key).unwrap();
        assert_eq!(secret.secret_bytes(), theirs.complete(&our_key).unwrap().secret_bytes());
        assert_eq!(secret.secret_bytes().len(), 66);
    }

    #[test]
    fn p521_key_exchange_refuses_what_is_not_a_point() {
        let valid = Secp521r1.start().unwrap().pub_key().to_vec();
        let mut compressed = valid[..67].to_vec();
        compressed[0] = 2;
        let mut off_curve = valid.clone();
        off_curve[132] ^= 1;
        for peer in [&[][..], &[4], &valid[..132], &compressed, &off_curve] {
            let outcome = Secp521r1.start().unwrap().complete(peer);
            assert_eq!(outcome.map(|_| ()), Err(PeerMisbehaved::InvalidKeyShare.into()), "{peer:02x?}");
        }
    }
}
