//! The engine against the sandbox's portal: each promise of product §2 as a test that can fail.

mod basics;
mod crashes;
mod history;
mod people;
mod sources;
mod volume;
mod world;
