//! An emulated Bitrix24 portal, an emulated Suite 8 hotel, a mail server and a bucket of S3, for tests and for `make run`. Never part of the product.

pub mod bucket;
pub mod hotel;
pub mod mail;
pub mod portal;
pub mod ui;
