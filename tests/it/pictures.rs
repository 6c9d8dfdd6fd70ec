//! Who comes while something is wrong, calls presence and applies what is pushed, shows exactly who
//! is there: soon after the fault, and each push changes the picture.

use std::thread;
use std::time::Duration;

use rollcall_tests::{Redis, Scene, stack};
use serde_json::json;

#[test]
fn whoever_comes_while_others_come_and_go_has_the_right_picture() {
    let redis = Redis::start();
    let mut scene = Scene::of_two(&stack::on(&redis, json!({})), || vec![redis.cli()]);
    for _ in 0..3 {
        scene.during(|_| thread::sleep(Duration::from_secs(3)));
        scene.converges(|| vec![redis.cli()]);
    }
}
