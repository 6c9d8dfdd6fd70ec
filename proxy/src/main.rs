//! The server `rollcall`.

fn main() {}
