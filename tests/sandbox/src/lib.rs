//! An emulated Bitrix24 portal, an emulated Suite 8 hotel and a mail server, for tests and for `make run`. Never part of the product.

pub mod hotel;
pub mod mail;
pub mod portal;
pub mod ui;
