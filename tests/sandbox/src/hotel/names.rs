//! Obviously invented people and firms. Nobody here exists; phones and mails lead nowhere.

use super::dice::Dice;

/// Male form, female form.
const FAMILY: &[(&str, &str)] = &[
    ("Пробный", "Пробная"),
    ("Образцов", "Образцова"),
    ("Примеров", "Примерова"),
    ("Тестов", "Тестова"),
    ("Макетов", "Макетова"),
    ("Шаблонов", "Шаблонова"),
    ("Эскизов", "Эскизова"),
    ("Черновиков", "Черновикова"),
    ("Учебный", "Учебная"),
    ("Условный", "Условная"),
    ("Вымышленный", "Вымышленная"),
    ("Небылицын", "Небылицына"),
    ("Выдумкин", "Выдумкина"),
    ("Сказкин", "Сказкина"),
    ("Бумажный", "Бумажная"),
    ("Гостев", "Гостева"),
    ("Чемоданов", "Чемоданова"),
    ("Ключников-Пример", "Ключникова-Пример"),
    ("Заглушкин", "Заглушкина"),
    ("Песочницын", "Песочницына"),
    ("Демонстрационный", "Демонстрационная"),
    ("Картонов", "Картонова"),
    ("Понарошкин", "Понарошкина"),
    ("Экспонатов", "Экспонатова"),
];
const MALE: &[(&str, &str)] = &[
    ("Иван", "ivan"),
    ("Пётр", "petr"),
    ("Лев", "lev"),
    ("Илья", "ilya"),
    ("Семён", "semen"),
    ("Олег", "oleg"),
    ("Артём", "artem"),
    ("Юрий", "yury"),
    ("Щукарь", "schukar"),
    ("Матвей", "matvey"),
    ("Ефим", "efim"),
    ("Глеб", "gleb"),
];
const FEMALE: &[(&str, &str)] = &[
    ("Вера", "vera"),
    ("Ася", "asya"),
    ("Дарья", "darya"),
    ("Майя", "maya"),
    ("Юлия", "yulia"),
    ("Зоя", "zoya"),
    ("Любовь", "lyubov"),
    ("Нина", "nina"),
    ("Элла", "ella"),
    ("Ульяна", "ulyana"),
    ("Инна", "inna"),
    ("Раиса", "raisa"),
];
const FATHERS: &[(&str, &str)] = &[
    ("Иванович", "Ивановна"),
    ("Петрович", "Петровна"),
    ("Львович", "Львовна"),
    ("Ильич", "Ильинична"),
    ("Семёнович", "Семёновна"),
    ("Олегович", "Олеговна"),
    ("Юрьевич", "Юрьевна"),
    ("Глебович", "Глебовна"),
];
/// Family name, country, language.
const FOREIGN: &[(&str, &str, &str)] = &[
    ("Testermann", "DE", "DE"),
    ("Mustersohn", "DE", "DE"),
    ("Sampleton", "GB", "EN"),
    ("Placeholder", "GB", "EN"),
    ("Esempio", "IT", "IT"),
    ("Prova-Modello", "IT", "IT"),
    ("Exemplaire", "FR", "FR"),
    ("Örnek", "TR", "EN"),
    ("Dummyfield", "US", "EN"),
    ("O'Sample", "GB", "EN"),
];
const FOREIGN_FIRST: &[(&str, &str)] = &[
    ("Max", "M"),
    ("Erika", "F"),
    ("Anna", "F"),
    ("Paul", "M"),
    ("Lucía", "F"),
    ("Zoë", "F"),
    ("Karl", "M"),
    ("Mia", "F"),
];
const STREETS: &[&str] = &["ул. Образцовая", "пр-т Тестовый", "пер. Примерный", "ул. Вымышленная", "наб. Условная"];
const CITIES: &[(&str, &str)] = &[
    ("Тверь", "170000"),
    ("Клин", "141600"),
    ("Казань", "420000"),
    ("Псков", "180000"),
    ("Пермь", "614000"),
    ("Сочи", "354000"),
];

pub struct Person {
    pub first: String,
    pub family: String,
    pub father: String,
    pub gender: &'static str,
    pub country: &'static str,
    pub language: &'static str,
    /// Latin stem for a mail address.
    pub stem: String,
}

pub fn person(dice: &mut Dice, foreign: bool) -> Person {
    if foreign {
        let (family, country, language) = dice.pick(FOREIGN).copied().unwrap_or_default();
        let (first, gender) = dice.pick(FOREIGN_FIRST).copied().unwrap_or_default();
        let stem: String = family.chars().filter(char::is_ascii_alphabetic).collect();
        return Person {
            first: first.into(),
            family: family.into(),
            father: String::new(),
            gender,
            country,
            language,
            stem: stem.to_lowercase(),
        };
    }
    let woman = dice.chance(50);
    let (first, stem) = dice.pick(if woman { FEMALE } else { MALE }).copied().unwrap_or_default();
    let (his, hers) = dice.pick(FAMILY).copied().unwrap_or_default();
    let (son, daughter) = dice.pick(FATHERS).copied().unwrap_or_default();
    let country = if dice.chance(94) { "RU" } else { dice.word(&["BY", "KZ"]) };
    Person {
        first: first.into(),
        family: if woman { hers } else { his }.into(),
        father: if woman { daughter } else { son }.into(),
        gender: if woman { "F" } else { "M" },
        country,
        language: "RU",
        stem: stem.into(),
    }
}

/// Street, city, postal code.
pub fn address(dice: &mut Dice) -> (String, String, String) {
    let (city, zip) = dice.pick(CITIES).copied().unwrap_or_default();
    (format!("{}, {}", dice.word(STREETS), dice.range(1, 99)), city.into(), zip.into())
}

const FIRM_HEADS: &[&str] = &["Пример", "Образец", "Макет", "Условие", "Эскиз", "Вымысел", "Черновик", "Тест"];
const FIRM_TAILS: &[&str] = &["Трейд", "Строй", "Логистика", "Консалт", "Медиа", "Энерго", "Софт", "Фарм"];
const AGENTS: &[&str] = &["Тур-Образец", "Бюро «Пробный маршрут»", "Sample Travel", "Агентство Примеров", "Вояж-Макет"];

pub fn firm(index: usize) -> String {
    let (heads, tails) = (FIRM_HEADS.len(), FIRM_TAILS.len());
    let head = FIRM_HEADS.get(index % heads).copied().unwrap_or_default();
    let tail = FIRM_TAILS.get((index / heads) % tails).copied().unwrap_or_default();
    let form = if index.is_multiple_of(3) { "АО" } else { "ООО" };
    match index / (heads * tails) {
        0 => format!("{form} «{head} {tail}»"),
        round => format!("{form} «{head} {tail} {}»", round + 1),
    }
}

pub fn agent(index: usize) -> String {
    let name = AGENTS.get(index % AGENTS.len()).copied().unwrap_or_default();
    if index < AGENTS.len() { name.to_owned() } else { format!("{name} {}", index / AGENTS.len() + 1) }
}
