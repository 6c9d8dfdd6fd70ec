//! Random faults, of one seed here and of many by `./dev chaos`.

use rollcall_tests::chaos::run;
use rollcall_tests::chaos::single::Single;

#[test]
fn one_redis_survives_everything() {
    run(1, Single::start);
}
