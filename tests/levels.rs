//! `mqtt levels`.

use crate::support::mqtt::Mqtt;

#[test]
fn levels_of_a_topic_are_counted() {
    Mqtt::new(["levels", "home/kitchen/temperature"]).run().succeeds().prints("3\n");
}
