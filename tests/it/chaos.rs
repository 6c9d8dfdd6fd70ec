//! Random faults, of one seed here and of many by `./dev chaos`.

use rollcall_tests::chaos::clustered::Clustered;
use rollcall_tests::chaos::plain::Plain;
use rollcall_tests::chaos::run;
use rollcall_tests::chaos::watched::Watched;

#[test]
fn one_redis_survives_everything() {
    run(1, Plain::one);
}

#[test]
fn three_redis_survive_everything() {
    run(2, Plain::three);
}

#[test]
fn sentinel_survives_everything() {
    run(3, Watched::start);
}

#[test]
fn a_cluster_survives_everything() {
    run(4, Clustered::start);
}
