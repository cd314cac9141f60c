pub mod api;
pub mod db;
pub mod process;
pub mod world;
