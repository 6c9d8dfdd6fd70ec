//! Fuzz targets: arbitrary bytes through both loaders and every parser. An error or a value, never
//! a panic, never much memory.
//!
//! Seeds are in `fuzz/corpus`, one folder a target. Each target runs some seconds with the other
//! tests, and as long as one likes with `./dev fuzz`.

mod harness;
mod values;
mod words;
