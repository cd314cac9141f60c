pub mod api;
pub mod db;
pub mod portal;
pub mod process;
pub mod town;
pub mod world;
