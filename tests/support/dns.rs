//! A name server that knows service records, on a free port of 127.0.0.1.

use std::net::UdpSocket;

use domain::base::iana::Rcode;
use domain::base::{Message, MessageBuilder, Name, ParsedName};
use domain::rdata::Srv;

/// A service record: priority, weight, port and target.
pub(crate) type Record = (u16, u16, u16, &'static str);

/// Starts one that knows the records of one name; its address. Its thread ends with the test.
pub(crate) fn start(name: &'static str, records: Vec<Record>) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let mut buffer = [0; 1500];
        while let Ok((length, client)) = socket.recv_from(&mut buffer) {
            let query = Message::from_slice(&buffer[..length]).unwrap();
            socket.send_to(&answer(query, name, &records), client).unwrap();
        }
    });
    address
}

fn answer(query: &Message<[u8]>, name: &str, records: &[Record]) -> Vec<u8> {
    let owner: ParsedName<_> = *query.sole_question().unwrap().qname();
    let is_known = owner.to_string().eq_ignore_ascii_case(name);
    let code = if is_known { Rcode::NOERROR } else { Rcode::NXDOMAIN };
    let mut answer = MessageBuilder::new_vec().start_answer(query, code).unwrap();
    for (priority, weight, port, target) in records.iter().filter(|_| is_known) {
        let target: Name<Vec<u8>> = target.parse().unwrap();
        answer.push((owner, 60, Srv::new(*priority, *weight, *port, target))).unwrap();
    }
    answer.finish()
}
