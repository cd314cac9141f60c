//! The site's code tables: what configuration looks like through the interface.

use std::collections::BTreeMap;

use super::generate::ROOM_TYPES;
use super::model::{CodeRow, Codes};

const MARKETS: &[(&str, &str)] = &[
    ("IND", "Индивидуальные"),
    ("COR", "Корпоративные"),
    ("GRP", "Группы"),
    ("OTA", "Онлайн-агентства"),
    ("LEI", "Отдых"),
];
const SOURCES: &[(&str, &str)] =
    &[("TEL", "Телефон"), ("WEB", "Сайт"), ("EML", "Почта"), ("WLK", "С улицы"), ("AGT", "Агентство")];
const CHANNELS: &[(&str, &str)] = &[("DIR", "Прямой"), ("OTA", "Онлайн-агентство"), ("GDS", "GDS"), ("CRM", "CRM")];
const RATES: &[(&str, &str)] = &[
    ("BAR", "Открытый тариф"),
    ("BB_STD", "Завтрак включён"),
    ("CORP", "Корпоративный"),
    ("PROMO", "Акция"),
    ("GROUP", "Групповой"),
];

pub fn codes() -> Codes {
    let mut tables: BTreeMap<&'static str, Vec<CodeRow>> = BTreeMap::new();
    let row =
        |cells: &[(&'static str, &str)]| -> CodeRow { cells.iter().map(|(n, v)| (*n, (*v).to_owned())).collect() };
    let currencies = [("РУБ", "Российский рубль", "RUB"), ("EU", "Евро", "EUR"), ("ДОЛ", "Доллар США", "USD")];
    let rows = currencies.map(|(code, name, iso)| {
        row(&[
            ("CurrencyShortdesc", code),
            ("CurrencyName", name),
            ("CurrencyISO3", iso),
            ("CurrencyDigits", "2"),
            ("CurrencyDepartment", "900"),
        ])
    });
    tables.insert("CurrencyList", rows.to_vec());
    let countries = [
        ("RU", "Россия"),
        ("BY", "Беларусь"),
        ("KZ", "Казахстан"),
        ("DE", "Германия"),
        ("IT", "Италия"),
        ("FR", "Франция"),
        ("GB", "Великобритания"),
        ("US", "США"),
        ("TR", "Турция"),
        ("CN", "Китай"),
    ];
    let rows = countries.map(|(code, name)| {
        row(&[
            ("CountryISO2", code),
            ("CountryISO3", super::profiles::iso3(code)),
            ("CountryShortdesc", code),
            ("CountryName", name),
            ("CountryNationality", name),
        ])
    });
    tables.insert("Country", rows.to_vec());
    let categories = [
        ("1", "NF", "Для стойки", "Reservations"),
        ("2", "RES", "Бронирование", "Reservations"),
        ("3", "PRF", "О госте", "Profile"),
    ];
    let rows = categories.map(|(id, code, name, table)| {
        row(&[
            ("NoteCategoryID", id),
            ("NoteCategoryShortDescription", code),
            ("NoteCategoryLongDescription", name),
            ("NoteCategoryTableLinkedTo", table),
        ])
    });
    tables.insert("NoteCategory", rows.to_vec());
    let rows = ROOM_TYPES.iter().map(|(code, name, _, _)| {
        row(&[
            ("RoomTypeShortDesc", *code),
            ("RoomTypeLongDesc", *name),
            ("RoomTypeDefaultPAX", "2"),
            ("RoomTypeMaxPAX", "3"),
            ("RoomTypeSuite", if *code == "SUI" { "1" } else { "0" }),
        ])
    });
    tables.insert("RoomType", rows.collect());
    let mut simple = |what, id: &'static str, code: &'static str, name: &'static str, entries: &[(&str, &str)]| {
        let rows = entries
            .iter()
            .enumerate()
            .map(|(i, (short, long))| row(&[(id, (i + 1).to_string().as_str()), (code, *short), (name, *long)]));
        tables.insert(what, rows.collect());
    };
    simple("Market", "MarketID", "MarketShortdesc", "MarketName", MARKETS);
    simple("Source", "SourceID", "SourceCode", "SourceName", SOURCES);
    simple("Channel", "ChannelID", "ChannelCode", "ChannelName", CHANNELS);
    simple("RateList", "RateID", "RateCode", "RateName", RATES);
    let departments = [
        ("100", "Проживание"),
        ("410", "Мини-бар"),
        ("500", "Ресторан"),
        ("900", "Оплата картой"),
        ("910", "Наличные"),
    ];
    simple("Department", "DepartmentType", "DepartmentCode", "DepartmentName", &departments);
    tables
}
