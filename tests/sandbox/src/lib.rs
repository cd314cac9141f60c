//! An emulated Bitrix24 portal and an emulated Suite 8 hotel, for tests and for `make run`. Never part of the product.

pub mod hotel;
pub mod portal;
pub mod ui;
