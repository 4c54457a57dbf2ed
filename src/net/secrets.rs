//! The secrets of a connection, to be masked in answers: a web server or a proxy may repeat the request in
//! its answer, and the answer is shown in messages and logs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::address::WebSocketOptions;
use crate::masking::{self, Confidential};
use crate::notation::percent;

/// The shortest part of a query or header value that counts as a secret on its own. Shorter parts (`v=1`) are
/// not secret and would match anywhere in a text.
const SHORTEST_PART: usize = 4;

/// Texts that must not be repeated.
#[derive(Debug, Clone, Default)]
pub(super) struct Secrets(Confidential);

impl Secrets {
    /// The secrets of an upgrade: the query and the header values.
    pub(super) fn of_upgrade(options: &WebSocketOptions) -> Self {
        let mut found = Vec::new();
        if let Some((_, query)) = options.path.split_once('?') {
            found.push(query.to_owned());
            let values = query.split('&').map(|part| part.split_once('=').map_or(part, |(_, value)| value));
            found.extend(values.filter(|value| value.len() >= SHORTEST_PART).map(str::to_owned));
        }
        for (name, value) in &options.headers {
            if name.eq_ignore_ascii_case("host") {
                continue; // The server's own name, which messages need.
            }
            found.push(value.trim().to_owned());
            // The value of a cookie, and the part of an Authorization header after the scheme.
            let parts = value.split(';').filter_map(|part| part.trim().split_once([' ', '=']));
            for (_, part) in parts.filter(|(_, part)| part.len() >= SHORTEST_PART) {
                found.push(part.to_owned());
                found.extend(decoded_basic(part));
            }
        }
        Self::new(&found)
    }

    /// A user name and password, plain and in HTTP's Basic scheme (RFC 7617).
    pub(super) fn of_credentials(credentials: Option<&(String, String)>) -> Self {
        let Some((user, password)) = credentials else { return Self::default() };
        let both = format!("{user}:{password}");
        Self::new(&[BASE64.encode(&both), both, password.clone()])
    }

    fn new(found: &[String]) -> Self {
        let mut known = Confidential::default();
        for secret in found {
            let decoded = percent::decode_lossy(&secret.replace('+', " "));
            for text in [secret, &decoded] {
                known.add(text);
                known.add(&text.replace('&', "&amp;"));
            }
        }
        Self(known)
    }

    /// A server's text with these secrets and all others known to this process masked.
    pub(super) fn masked(&self, text: &str) -> String {
        masking::masked(&self.0.masked(text)).into_owned()
    }
}

/// `user:password` and the password of Basic credentials.
fn decoded_basic(token: &str) -> Vec<String> {
    let decoded = BASE64.decode(token.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let Some(both) = decoded else { return Vec::new() };
    let password = both.split_once(':').map(|(_, password)| password.to_owned());
    password.into_iter().chain([both]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_an_answer_are_masked() {
        let basic = format!("Basic {}", BASE64.encode("me:hush-4"));
        let secrets = Secrets::of_upgrade(&WebSocketOptions {
            path: "/mqtt?v=1&token=hush%20hush".into(),
            headers: vec![
                ("Authorization".into(), basic.clone()),
                ("Cookie".into(), "a=hush-1; b=hush-2".into()),
                ("X-Key".into(), "hush-3".into()),
                ("Host".into(), "broker.example".into()),
            ],
            ..WebSocketOptions::default()
        });
        for (text, masked) in [
            ("/mqtt?v=1&token=hush%20hush", "/mqtt?…"),
            ("/mqtt?v=1&amp;token=hush%20hush", "/mqtt?…"),
            ("version 1, token 'hush hush'", "version 1, token '…'"),
            (&basic, "…"),
            (basic.split_once(' ').unwrap().1, "…"),
            ("me:hush-4 or hush-4", "… or …"),
            ("a=hush-1", "a=…"),
            ("hush-2 hush-3 at broker.example", "… … at broker.example"),
        ] {
            assert_eq!(secrets.masked(text), masked);
        }
        let proxy = Secrets::of_credentials(Some(&("me".into(), "hush".into())));
        let text = format!("me:hush {} hush me", BASE64.encode("me:hush"));
        assert_eq!(proxy.masked(&text), "… … … me");
        assert_eq!(Secrets::of_credentials(None).masked(&text), text);
    }
}
