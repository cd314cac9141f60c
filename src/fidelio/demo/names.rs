//! Names that stand for nobody: common first names beside surnames that are rare or made up.

/// As the guest writes it, and in Latin letters for his e-mail.
pub(super) type Name = (&'static str, &'static str);

/// One country's guests.
#[derive(Clone, Copy)]
pub(super) struct Nation {
    /// ISO 3166 alpha-2.
    pub country: &'static str,
    pub language: &'static str,
    pub men: &'static [Name],
    pub women: &'static [Name],
    /// Of a man, of a woman, in Latin letters.
    pub surnames: &'static [(&'static str, &'static str, &'static str)],
    pub city: &'static str,
}

pub(super) const RUSSIA: Nation = Nation {
    country: "RU",
    language: "RU",
    men: &[
        ("Алексей", "alexey"),
        ("Андрей", "andrey"),
        ("Борис", "boris"),
        ("Виктор", "viktor"),
        ("Глеб", "gleb"),
        ("Денис", "denis"),
        ("Егор", "egor"),
        ("Илья", "ilya"),
        ("Кирилл", "kirill"),
        ("Максим", "maxim"),
        ("Олег", "oleg"),
        ("Тимур", "timur"),
    ],
    women: &[
        ("Алина", "alina"),
        ("Анна", "anna"),
        ("Вера", "vera"),
        ("Дарья", "darya"),
        ("Елена", "elena"),
        ("Жанна", "zhanna"),
        ("Ирина", "irina"),
        ("Лариса", "larisa"),
        ("Марина", "marina"),
        ("Нина", "nina"),
        ("Ольга", "olga"),
        ("Тамара", "tamara"),
    ],
    surnames: &[
        ("Озерцев", "Озерцева", "ozertsev"),
        ("Ветлугин", "Ветлугина", "vetlugin"),
        ("Лугарев", "Лугарева", "lugarev"),
        ("Примеров", "Примерова", "primerov"),
        ("Полянцев", "Полянцева", "polyantsev"),
        ("Заречин", "Заречина", "zarechin"),
        ("Тополинов", "Тополинова", "topolinov"),
        ("Морошкин", "Морошкина", "moroshkin"),
        ("Светозаров", "Светозарова", "svetozarov"),
        ("Перелескин", "Перелескина", "pereleskin"),
        ("Каменцов", "Каменцова", "kamentsov"),
        ("Рябинцев", "Рябинцева", "ryabintsev"),
        ("Дальнев", "Дальнева", "dalnev"),
        ("Утёсов-Пробный", "Утёсова-Пробная", "utesov"),
        ("Ручейкин", "Ручейкина", "rucheykin"),
        ("Звонарцев", "Звонарцева", "zvonartsev"),
    ],
    city: "Москва",
};

pub(super) const ABROAD: &[Nation] = &[
    Nation {
        country: "GB",
        language: "EN",
        men: &[("Oliver", "oliver"), ("Henry", "henry"), ("Edward", "edward"), ("Simon", "simon")],
        women: &[("Alice", "alice"), ("Emily", "emily"), ("Grace", "grace"), ("Ruth", "ruth")],
        surnames: &[
            ("Sampleton", "Sampleton", "sampleton"),
            ("Fernhollow", "Fernhollow", "fernhollow"),
            ("Brackenby", "Brackenby", "brackenby"),
            ("Larkmere", "Larkmere", "larkmere"),
            ("Ashwick", "Ashwick", "ashwick"),
        ],
        city: "London",
    },
    Nation {
        country: "DE",
        language: "DE",
        men: &[("Jonas", "jonas"), ("Matthias", "matthias"), ("Stefan", "stefan"), ("Uwe", "uwe")],
        women: &[("Greta", "greta"), ("Hanna", "hanna"), ("Katrin", "katrin"), ("Sabine", "sabine")],
        surnames: &[
            ("Musterbach", "Musterbach", "musterbach"),
            ("Wiesental", "Wiesental", "wiesental"),
            ("Lindgraben", "Lindgraben", "lindgraben"),
            ("Haselrath", "Haselrath", "haselrath"),
            ("Tannwald", "Tannwald", "tannwald"),
        ],
        city: "Berlin",
    },
    Nation {
        country: "FR",
        language: "FR",
        men: &[("Julien", "julien"), ("Lucas", "lucas"), ("Mathieu", "mathieu"), ("Pascal", "pascal")],
        women: &[("Chloé", "chloe"), ("Élise", "elise"), ("Manon", "manon"), ("Sylvie", "sylvie")],
        surnames: &[
            ("Exemplaire", "Exemplaire", "exemplaire"),
            ("Bellerive", "Bellerive", "bellerive"),
            ("Clairbois", "Clairbois", "clairbois"),
            ("Valmoncel", "Valmoncel", "valmoncel"),
            ("Rochenoire", "Rochenoire", "rochenoire"),
        ],
        city: "Paris",
    },
];

pub(super) const COMPANIES: &[Name] = &[
    ("ООО «Пример-Логистика»", "primer-logistika"),
    ("АО «Демострой»", "demostroy"),
    ("ООО «Образец и партнёры»", "obrazets"),
    ("ООО «Северный эскиз»", "eskiz"),
    ("Samplewise Consulting Ltd", "samplewise"),
    ("Musterwerk Anlagen GmbH", "musterwerk"),
];

pub(super) const AGENTS: &[Name] =
    &[("Турагентство «Пробный маршрут»", "marshrut"), ("Specimen Travel", "specimen-travel")];

pub(super) const GROUPS: &[&str] =
    &["Конференция «Пример года»", "Экскурсионная группа", "Спортивные сборы", "Свадьба", "Отраслевой семинар"];
