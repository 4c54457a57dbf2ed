//! The known name that a misspelt one stands for. A wrong guess is worse than none, so only names with one or
//! two slips count.

/// Up to two known names that are equally similar to the typed one: within a few slips, or beginning with it.
/// Letter case, `camelCase`, underscores and colons make no difference.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    const MOST: usize = 2;
    let typed = in_words(typed);
    let mut found: Vec<(usize, &str)> = Vec::new();
    for name in known {
        let begun = is_begun(&typed, name).then_some(usize::MAX);
        let Some(slips) = slips(&typed, &in_words(name)).or(begun) else { continue };
        if found.iter().all(|(_, other)| *other != name) {
            found.push((slips, name));
        }
    }
    let begun: Vec<(usize, &str)> =
        found.iter().copied().filter(|(_, name)| is_begun(&typed, name)).collect();
    if found.iter().all(|(slips, _)| *slips > 0) && !begun.is_empty() {
        found = begun.into_iter().map(|(_, name)| (0, name)).collect();
    }
    let fewest = found.iter().map(|(slips, _)| *slips).min();
    let nearest: Vec<&str> =
        found.into_iter().filter(|(slips, _)| Some(*slips) == fewest).map(|(_, name)| name).collect();
    // Many similar names would not help.
    if nearest.len() > MOST { Vec::new() } else { nearest }
}

/// `did you mean 'a'?`, or nothing.
#[must_use]
pub fn did_you_mean(names: &[String]) -> Option<String> {
    let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    (!quoted.is_empty()).then(|| format!("did you mean {}?", quoted.join(" or ")))
}

/// A name in lower-case words with hyphens, as this program writes names: `cleanStart`, `clean_start` and
/// `clean:start` become `clean-start`.
#[must_use]
pub fn in_words(name: &str) -> String {
    let mut words = String::with_capacity(name.len());
    let mut after_lower_case = false;
    for character in name.chars() {
        match character {
            '_' | ':' | '.' | ' ' => words.push('-'),
            upper if upper.is_uppercase() => {
                if after_lower_case {
                    words.push('-');
                }
                words.extend(upper.to_lowercase());
            }
            other => words.push(other),
        }
        after_lower_case = character.is_lowercase();
    }
    words
}

/// The number of missing, superfluous, wrong or swapped letters, if it is small for the length of the name.
/// The first letter is rarely wrong, so names with different first letters do not match.
fn slips(typed: &str, name: &str) -> Option<usize> {
    let most = match typed.chars().count() {
        0..=2 => 0,
        3..=5 => 1,
        6..=8 => 2,
        _ => 3,
    };
    let first = |text: &str, at: usize| text.chars().nth(at);
    let begins_alike = first(typed, 0) == first(name, 0)
        || first(typed, 0) == first(name, 1) && first(typed, 1) == first(name, 0);
    let slips = strsim::osa_distance(typed, name);
    (begins_alike && slips <= most).then_some(slips)
}

/// Whether the larger part of the name was typed and the rest omitted.
fn is_begun(typed: &str, name: &str) -> bool {
    const FEWEST: usize = 4;
    typed.len() >= FEWEST && typed.len() * 2 >= name.len() && name.starts_with(typed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 12] = [
        "qos",
        "topic",
        "host",
        "port",
        "cert",
        "key",
        "insecure",
        "keepalive",
        "client-id",
        "filter-out",
        "will-topic",
        "will-qos",
    ];

    #[test]
    fn slips_are_found() {
        for (typed, name) in [
            ("qso", "qos"),
            ("tpoic", "topic"),
            ("otpic", "topic"),
            ("hots", "host"),
            ("clientid", "client-id"),
            ("clientId", "client-id"),
            ("client_id", "client-id"),
            ("KEEPALIVE", "keepalive"),
            ("keep-alive", "keepalive"),
            ("inscure", "insecure"),
            ("will-tpic", "will-topic"),
        ] {
            assert_eq!(nearest(typed, NAMES), [name], "{typed}");
        }
        assert_eq!(nearest("will-to", NAMES), ["will-topic"]);
        assert_eq!(nearest("will-", NAMES), ["will-topic", "will-qos"]);
        assert_eq!(nearest("mode", ["node", "mole", "mods"]), ["mole", "mods"]);
    }

    #[test]
    fn other_words_are_no_slips() {
        for typed in
            ["timeout", "secure", "count", "id", "k", "sort", "cli", "tls", "ssl", "zzz", "", "retries"]
        {
            assert_eq!(nearest(typed, NAMES), [""; 0], "{typed}");
        }
    }
}
