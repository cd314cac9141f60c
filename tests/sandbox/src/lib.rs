//! An emulated Bitrix24 portal, an emulated Suite 8 hotel, a mail server, a bucket of S3 and a Kaiten, for tests and for `make run`. Never part of the product.

pub mod bucket;
pub mod hotel;
pub mod kaiten;
pub mod mail;
pub mod portal;
pub mod ports;
pub mod ui;
