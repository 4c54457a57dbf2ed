//! A name server with service records, on a free port of 127.0.0.1.

use std::net::{Ipv4Addr, UdpSocket};

use domain::base::iana::{Rcode, Rtype};
use domain::base::{Message, MessageBuilder, Name, ParsedName};
use domain::rdata::{A, Srv};

/// A service record: priority, weight, port and target.
pub(crate) type Record = (u16, u16, u16, &'static str);

/// Starts a name server with the records of one name; returns its address. Its thread ends with the test.
pub(crate) fn start(name: &'static str, records: Vec<Record>) -> String {
    start_with_host(name, records, None)
}

/// The same, which also knows the address of one host.
pub(crate) fn start_with_host(
    name: &'static str,
    records: Vec<Record>,
    host: Option<(&'static str, Ipv4Addr)>,
) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let mut buffer = [0; 1500];
        while let Ok((length, client)) = socket.recv_from(&mut buffer) {
            let query = Message::from_slice(&buffer[..length]).unwrap();
            socket.send_to(&answer(query, name, &records, host), client).unwrap();
        }
    });
    address
}

fn answer(query: &Message<[u8]>, name: &str, records: &[Record], host: Option<(&str, Ipv4Addr)>) -> Vec<u8> {
    let question = query.sole_question().unwrap();
    let owner: ParsedName<_> = *question.qname();
    let address = host.filter(|(host, _)| owner.to_string().eq_ignore_ascii_case(host));
    let is_known = owner.to_string().eq_ignore_ascii_case(name) || address.is_some();
    let code = if is_known { Rcode::NOERROR } else { Rcode::NXDOMAIN };
    let mut answer = MessageBuilder::new_vec().start_answer(query, code).unwrap();
    if let Some((_, address)) = address.filter(|_| question.qtype() == Rtype::A) {
        answer.push((owner, 60, A::new(address))).unwrap();
    }
    for (priority, weight, port, target) in records.iter().filter(|_| is_known && address.is_none()) {
        let target: Name<Vec<u8>> = target.parse().unwrap();
        answer.push((owner, 60, Srv::new(*priority, *weight, *port, target))).unwrap();
    }
    answer.finish()
}
