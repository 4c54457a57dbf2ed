//! The options for the broker, transport and proxy, and how they combine.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueHint;
use clap::builder::BoolishValueParser;

use super::headings::CONNECTION;
use super::sources::{Origin, Rank, TLS_PORT, counts, one_of};
use super::tls::{self, Tls};
use super::url::BrokerUrl;
use super::value::{self, Brokers, HttpHeader, ProxyChoice, WsPath};
use crate::client::options::Secret;
use crate::error::Error;
use crate::net::{Address, Endpoint, Proxy, Transport, WebSocketOptions, check_upgrade};
use crate::notation::HostPort;

/// The default port without TLS ([IANA] mqtt).
const PLAIN_PORT: u16 = 1883;

/// The options for the broker and the connection to it.
#[derive(Debug, Clone, clap::Args)]
#[group(id = "host::target")]
#[command(next_help_heading = CONNECTION)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct TargetArgs {
    /// Broker: host or IP address
    ///
    /// Several, separated by commas, each with an optional :PORT, are tried in turn until one answers.
    #[arg(short = 'h', long, env = "MQTT_HOST", default_value = "localhost", value_name = "HOST",
          value_hint = ValueHint::Hostname)]
    host: Brokers,

    /// Port; 8883 turns TLS on [default: 1883, or 8883]
    #[arg(short = 'p', long, env = "MQTT_PORT", value_name = "PORT",
          value_parser = value::port)]
    port: Option<u16>,

    /// Broker as URL: mqtt[s]:// or ws[s]://[USER@]HOST[:PORT]
    ///
    /// mqtt[s]://[USER[:PASSWORD]@]HOST[:PORT][/TOPIC], where everything after the first / is the topic and
    /// %XX is decoded, or ws[s]://[USER[:PASSWORD]@]HOST[:PORT][/PATH], with port 80 or 443 if none is given.
    #[arg(short = 'L', long, env = "MQTT_URL", value_name = "URL", value_hint = ValueHint::Url)]
    url: Option<BrokerUrl>,

    /// Take the host as a domain and ask DNS for its brokers, the service records of _mqtt._tcp or, with TLS,
    /// _secure-mqtt._tcp
    #[arg(short = 'S', long, env = "MQTT_SRV", value_parser = BoolishValueParser::new())]
    srv: bool,

    /// Name server to ask with -S, an IP address with an optional :PORT; may be repeated [default: the
    /// system's]
    #[arg(long, env = "MQTT_NAME_SERVER", value_name = "ADDRESS", value_parser = value::name_server)]
    name_server: Vec<SocketAddr>,

    /// Unix socket of the broker, instead of host and port
    #[arg(long, env = "MQTT_UNIX", value_name = "PATH", value_hint = ValueHint::FilePath)]
    unix: Option<PathBuf>,

    /// Send MQTT in a WebSocket, as ws:// and wss:// in -L do
    #[arg(long, env = "MQTT_WS", value_parser = BoolishValueParser::new())]
    ws: bool,

    /// Path of the WebSocket, with its query [default: /mqtt]
    #[arg(long, env = "MQTT_WS_PATH", value_name = "PATH")]
    ws_path: Option<WsPath>,

    /// Additional header of the WebSocket's request, 'NAME: VALUE'; may be repeated
    #[arg(long, env = "MQTT_WS_HEADER", value_name = "HEADER")]
    ws_header: Vec<HttpHeader>,

    #[arg(
        long,
        env = "MQTT_PROXY",
        value_name = "URL",
        help = "Proxy to go through: socks5h://[USER:PASSWORD@]HOST[:PORT], socks5:// (the broker's name is \
                looked up here), http://, or env for the one that ALL_PROXY and NO_PROXY choose"
    )]
    proxy: Option<ProxyChoice>,

    /// Local IP address to connect from
    #[arg(short = 'A', long, env = "MQTT_BIND_ADDRESS", value_name = "ADDRESS",
          value_parser = value::ip_address)]
    bind_address: Option<IpAddr>,
}

/// The broker and the way to it, resolved from URL, flags, environment and profile.
pub(super) struct Target {
    place: BrokerPlace,
    /// The rank of the setting that names the broker.
    rank: Rank,
    /// The rank of a requested port 8883.
    tls_port: Option<Rank>,
    /// The rank of a URL with TLS.
    tls_url: Option<Rank>,
    /// The rank of a URL without TLS.
    plain_url: Option<Rank>,
    /// The default port of the URL's scheme.
    scheme_port: Option<u16>,
    web_socket: Option<WebSocketOptions>,
    proxy: Option<ProxyChoice>,
    bind: Option<IpAddr>,
    /// Whether the hosts are domains with service records.
    pub(super) service_records: bool,
    /// The name servers to ask for them.
    pub(super) name_servers: Vec<SocketAddr>,
    /// User name and password in the URL.
    pub(super) url_user_name: Option<String>,
    pub(super) url_password: Option<Secret>,
}

enum BrokerPlace {
    Brokers(Vec<HostPort>),
    Unix(PathBuf),
}

/// The identifiers of these options.
pub(super) const IDS: [&str; 11] = [
    "host",
    "port",
    "url",
    "srv",
    "name_server",
    "unix",
    "ws",
    "ws_path",
    "ws_header",
    "proxy",
    "bind_address",
];

impl TargetArgs {
    /// Sets the hosts.
    pub(super) fn name_host(&mut self, host: Brokers) {
        self.host = host;
    }

    /// The URL, unless a setting of higher rank names another broker: then the port, topic and password of
    /// the URL must not be used for that broker.
    pub(super) fn counting_url(&self, origin: &Origin) -> Option<&BrokerUrl> {
        self.url.as_ref().filter(|_| url_counts(origin))
    }

    /// The options without effect because a setting of higher rank names another broker.
    pub(super) fn overruled(&self, origin: &Origin) -> Vec<&'static str> {
        let url_counts = url_counts(origin);
        let url = self.counting_url(origin);
        let rank = origin.rank(if url_counts { "url" } else { "host" });
        let below = |id: &str, other: &str| origin.rank(id) < origin.rank(other);
        let mut overruled = Vec::new();
        if origin.rank("unix") > rank {
            overruled.extend(["host", "url", "port", "srv", "name_server", "proxy", "bind_address"]);
        } else {
            overruled.push("unix");
            if url_counts {
                overruled.extend(["host", "port", "ws"].into_iter().filter(|id| below(id, "url")));
            } else {
                overruled.push("url");
                let all_have_ports = self.host.0.iter().all(|broker| broker.port.is_some());
                overruled.extend((all_have_ports && below("port", "host")).then_some("port"));
            }
            // Service records determine the port, unless a port of higher rank is given.
            let port = self.port_rank(origin, url);
            let may_be_on = self.srv || origin.is_broken("srv");
            if self.srv && origin.rank("srv") > port {
                overruled.push("port");
            } else if may_be_on && origin.rank("srv") < port {
                overruled.extend(["srv", "name_server"]);
            }
        }
        if url.is_some_and(|url| url.path.is_some()) && below("ws_path", "url") {
            overruled.push("ws_path");
        }
        overruled
    }

    /// The overruled options, and those without effect for this transport.
    pub(super) fn unused(&self, origin: &Origin) -> Vec<&'static str> {
        let mut unused = self.overruled(origin);
        let url = self.counting_url(origin);
        let is_web_socket = url.is_some_and(|url| url.web_socket) || self.ws && !unused.contains(&"ws");
        if !is_web_socket {
            unused.extend(["ws_path", "ws_header"]);
        }
        if !self.srv {
            unused.push("name_server");
        }
        unused
    }

    pub(super) fn resolve(mut self, origin: &Origin, max_packet_bytes: u32) -> Result<Target, Error> {
        let url = self.counting_url(origin).cloned();
        let rank = origin.rank("url").max(origin.rank("host"));
        let rank = if url.is_some() { rank } else { origin.rank("host") };
        let unix = self.unix.take().filter(|_| origin.rank("unix") >= rank);
        self.srv &= origin.rank("srv") >= self.port_rank(origin, url.as_ref());
        if unix.is_some() && origin.rank("unix") == rank {
            let (id, other) = if url.is_some() { ("url", "-L") } else { ("host", "-h") };
            let message = format!("--unix and {other} name two brokers; give one");
            return Err(Error::usage(message).about(["unix", id]));
        }
        let rank = if unix.is_some() { origin.rank("unix") } else { rank };
        let web_socket = self.web_socket(origin, url.as_ref(), rank, max_packet_bytes)?;
        let (place, tls_port) = match unix {
            Some(path) => {
                self.refuse_network_options(origin, rank)?;
                (BrokerPlace::Unix(path), None)
            }
            None => self.brokers(origin, url.as_ref())?,
        };
        let in_network = matches!(place, BrokerPlace::Brokers(_));
        if !self.name_server.is_empty() && !self.srv && counts(origin.rank("name_server"), rank) {
            return Err(Error::usage("--name-server has no effect without -S").about(["name_server"]));
        }
        Ok(Target {
            place,
            rank,
            tls_port,
            tls_url: url.as_ref().filter(|url| url.tls).map(|_| origin.rank("url")),
            plain_url: url.as_ref().filter(|url| !url.tls).map(|_| origin.rank("url")),
            scheme_port: url.as_ref().and_then(BrokerUrl::default_port),
            web_socket,
            proxy: self.proxy.filter(|_| in_network),
            bind: self.bind_address.filter(|_| in_network),
            service_records: self.srv && in_network,
            name_servers: self.name_server,
            url_user_name: url.as_ref().and_then(|url| url.user_name.clone()),
            url_password: url.and_then(|url| url.password),
        })
    }

    /// The highest rank of a port for the broker that is named.
    fn port_rank(&self, origin: &Origin, url: Option<&BrokerUrl>) -> Rank {
        let option = origin.rank("port");
        match url {
            Some(url) if url.port.is_some() => option.max(origin.rank("url")),
            Some(_) if option < origin.rank("url") => Rank::Default,
            None if self.host.0.iter().any(|broker| broker.port.is_some()) => option.max(origin.rank("host")),
            _ => option,
        }
    }

    /// The brokers with their ports, and the rank of a port that implies TLS.
    fn brokers(
        &self,
        origin: &Origin,
        url: Option<&BrokerUrl>,
    ) -> Result<(BrokerPlace, Option<Rank>), Error> {
        let (url_rank, port_rank) = (origin.rank("url"), origin.rank("port"));
        let hosts = &self.host.0;
        let mut brokers = match url {
            None => hosts.clone(),
            Some(url) => {
                let in_url = HostPort { host: url.host.clone(), port: None };
                let typed_as_well = origin.rank("host") == url_rank;
                if typed_as_well && *hosts != [in_url.clone()] {
                    return Err(Error::usage("-L and -h name different brokers").about(["url", "host"]));
                }
                vec![in_url]
            }
        };
        // A port of lower rank than the broker's name was set for another broker.
        let named_by = if url.is_some() { url_rank } else { Rank::Default };
        let option = self.port.filter(|_| port_rank >= named_by);
        let in_url = url.and_then(|url| url.port);
        let port = one_of(("port", "-p"), (option, port_rank), (in_url, url_rank))?;
        let rank = if in_url.is_some() { url_rank.max(port_rank) } else { port_rank };
        if url.is_none() && port_rank == Rank::Flag && brokers.iter().all(|broker| broker.port.is_some()) {
            origin.warn("-p has no effect: the host comes with its port".into());
        }
        for broker in &mut brokers {
            broker.port = broker.port.or(port);
        }
        if self.srv && origin.rank("srv") > self.port_rank(origin, url) {
            for broker in &mut brokers {
                broker.port = None;
            }
        }
        if self.srv && brokers.iter().any(|broker| broker.port.is_some()) {
            let message = "a port has no effect with -S: the service records name it";
            return Err(Error::usage(message).about(["srv", "port", "host", "url"]));
        }
        let is_tls_port = brokers.iter().any(|broker| broker.port == Some(TLS_PORT));
        let own_port = hosts.iter().any(|broker| broker.port == Some(TLS_PORT));
        let rank = if own_port { rank.max(origin.rank("host")) } else { rank };
        Ok((BrokerPlace::Brokers(brokers), is_tls_port.then_some(rank)))
    }

    /// The WebSocket, if requested.
    fn web_socket(
        &self,
        origin: &Origin,
        url: Option<&BrokerUrl>,
        named_by: Rank,
        max_packet_bytes: u32,
    ) -> Result<Option<WebSocketOptions>, Error> {
        let in_url = url.is_some_and(|url| url.web_socket);
        // A profile's --ws does not apply to the broker of a typed mqtt:// URL.
        let asked = self.ws && url.is_none_or(|_| origin.rank("ws") >= origin.rank("url"));
        if !(in_url || asked) {
            let idle = [
                (self.ws_path.is_some(), "ws_path", "--ws-path"),
                (!self.ws_header.is_empty(), "ws_header", "--ws-header"),
            ];
            return match idle.into_iter().find(|(given, id, _)| *given && counts(origin.rank(id), named_by)) {
                None => Ok(None),
                Some((_, id, name)) => {
                    Err(Error::usage(format!("{name} has no effect: the connection is not a WebSocket"))
                        .about([id])
                        .with_hint("ws:// or wss:// in -L, or --ws, make it one"))
                }
            };
        }
        let path = one_of(
            ("ws_path", "--ws-path"),
            (self.ws_path.clone().map(|WsPath(path)| path), origin.rank("ws_path")),
            (url.and_then(|url| url.path.clone()), origin.rank("url")),
        )?;
        let defaults = WebSocketOptions::default();
        let most = usize::try_from(max_packet_bytes).unwrap_or(usize::MAX);
        Ok(Some(WebSocketOptions {
            path: path.unwrap_or(defaults.path),
            headers: self.ws_header.iter().cloned().map(|header| (header.name, header.value)).collect(),
            // A message of the WebSocket must be able to hold the largest packet.
            max_message_size: defaults.max_message_size.max(most),
        }))
    }

    fn refuse_network_options(&self, origin: &Origin, named_by: Rank) -> Result<(), Error> {
        let idle = [
            (self.port.is_some(), "port", "-p"),
            (self.srv, "srv", "-S"),
            (self.proxy.is_some(), "proxy", "--proxy"),
            (self.bind_address.is_some(), "bind_address", "-A"),
        ];
        match idle.into_iter().find(|(given, id, _)| *given && counts(origin.rank(id), named_by)) {
            None => Ok(()),
            Some((_, id, name)) => {
                let message = format!("{name} has no effect on a Unix socket (--unix)");
                Err(Error::usage(message).about([id, "unix"]))
            }
        }
    }
}

impl Target {
    /// The parts of the target that decide about TLS.
    pub(super) fn tls_context<'a>(&self, origin: &'a Origin) -> tls::Context<'a> {
        let is_unix = matches!(self.place, BrokerPlace::Unix(_));
        tls::Context {
            origin,
            url: self.tls_url,
            plain_url: self.plain_url,
            port: self.tls_port,
            broker: self.rank,
            is_unix,
        }
    }

    /// The endpoints of the brokers, at least one, the preferred one first.
    pub(super) fn endpoints(
        self,
        mut tls: Option<Tls>,
        connect_timeout: Duration,
    ) -> Result<(Endpoint, Vec<Endpoint>), Error> {
        let default_port = if tls.is_some() { TLS_PORT } else { PLAIN_PORT };
        let default_port = self.scheme_port.unwrap_or(default_port);
        let mut endpoint = |address: Address, proxy| -> Result<Endpoint, Error> {
            let secure = match (&mut tls, &address) {
                (Some(tls), Address::Tcp { host, port }) => {
                    Some(tls.config(host, *port, self.web_socket.is_some())?)
                }
                _ => None,
            };
            let transport = match (self.web_socket.clone(), secure.is_some()) {
                (None, false) => Transport::Plain,
                (None, true) => Transport::Tls,
                (Some(options), false) => Transport::WebSocket(options),
                (Some(options), true) => Transport::SecureWebSocket(options),
            };
            let name_servers = Vec::new(); // those of -S come with the records
            let bind = self.bind;
            let endpoint =
                Endpoint { address, transport, tls: secure, bind, proxy, name_servers, connect_timeout };
            check_upgrade(&endpoint)?;
            Ok(endpoint)
        };
        let brokers = match self.place {
            BrokerPlace::Unix(path) => return Ok((endpoint(Address::Unix(path), None)?, Vec::new())),
            BrokerPlace::Brokers(brokers) => brokers,
        };
        let mut endpoints = Vec::with_capacity(brokers.len());
        for HostPort { host, port } in brokers {
            let port = port.unwrap_or(default_port);
            let proxy = proxy_for(self.proxy.as_ref(), &host, port)?;
            endpoints.push(endpoint(Address::Tcp { host, port }, proxy)?);
        }
        if endpoints.is_empty() {
            return Err(Error::usage("no broker to connect to: -h HOST"));
        }
        let first = endpoints.remove(0);
        Ok((first, endpoints))
    }
}

fn proxy_for(choice: Option<&ProxyChoice>, host: &str, port: u16) -> Result<Option<Proxy>, Error> {
    // Lower case first, as curl does.
    let variable = |lower: &str, upper: &str| std::env::var(lower).or_else(|_| std::env::var(upper)).ok();
    match choice {
        None => Ok(None),
        Some(ProxyChoice::Fixed(proxy)) => Ok(Some(proxy.clone())),
        Some(ProxyChoice::Environment) => {
            let all = variable("all_proxy", "ALL_PROXY");
            let none = variable("no_proxy", "NO_PROXY");
            Proxy::from_environment(all.as_deref(), none.as_deref(), host, port)
                .map_err(|error| Error::usage(format!("ALL_PROXY: {error}")))
        }
    }
}

/// Whether the URL names the broker, according to the ranks.
fn url_counts(origin: &Origin) -> bool {
    let rank = origin.rank("url");
    rank > Rank::Default && origin.rank("host") <= rank && origin.rank("unix") <= rank
}
