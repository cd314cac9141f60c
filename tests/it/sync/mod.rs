//! The engine against the sandbox's portal: each promise of product §2 as a test that can fail.

mod attach;
mod basics;
mod crashes;
mod demo;
mod erasure;
mod ground;
mod guests;
mod history;
mod hotel;
mod imports;
mod late;
mod looks;
mod lost;
mod mappings;
mod moments;
mod notes;
mod owned;
mod partners;
mod people;
mod putbacks;
mod reconcile;
mod sources;
mod states;
mod strangers;
mod volume;
mod world;
