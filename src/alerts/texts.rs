//! What people are told: what happened, what it means for the hotel, what to do. Russian and English.

use super::Notice;
use crate::domain::Lang;
use crate::domain::alert::AlertKind;

pub(super) struct Words {
    pub title: String,
    pub text: String,
    /// Why this came, and how it stops coming.
    pub footer: String,
}

/// In the language of the portal.
pub(super) fn words(notice: &Notice) -> Words {
    let lang = notice.lang;
    let place = match &notice.hotel {
        Some(hotel) => lang
            .pick("отель «{name}» ({code})", "hotel \"{name}\" ({code})")
            .replace("{name}", &hotel.name)
            .replace("{code}", &hotel.code),
        None => lang.pick("портал {domain}", "portal {domain}").replace("{domain}", &notice.domain),
    };
    let (what, means) = if notice.over { over(notice.kind, lang) } else { raised(notice.kind, lang) };
    let since = lang.pick("Началось: {since} (время отеля).", "It began on {since} (the hotel's time).");
    Words {
        title: format!("{what}: {place}"),
        text: format!("{means}\n{}", since.replace("{since}", &notice.since)),
        footer: lang
            .pick(
                "Это сообщение прислал Fidelio для Битрикс24 с портала {domain}. Кому и когда их присылать, решает \
                 администратор портала в настройках приложения: «Правила», «Оповещения».",
                "This message was sent by Fidelio for Bitrix24 of the portal {domain}. Who gets them, and when, is \
                 chosen by the portal's admin in the app's settings: Rules, Alerts.",
            )
            .replace("{domain}", &notice.domain),
    }
}

fn raised(kind: AlertKind, lang: Lang) -> (&'static str, &'static str) {
    match kind {
        AlertKind::LinkDown => (
            lang.pick("Нет связи с Fidelio", "No link to Fidelio"),
            lang.pick(
                "Интерфейс отеля не отвечает или отказывает нам. Новые брони и заезды пока не попадают в Битрикс24; \
                 ничего не потеряно: когда связь вернётся, всё догонится само. Откройте в приложении «Отели», нажмите \
                 «Проверить связь» и перешлите результат тем, кто обслуживает Fidelio.",
                "The hotel's interface does not answer, or refuses us. New bookings and arrivals do not reach Bitrix24 \
                 for now; nothing is lost: when the link is back, everything catches up by itself. Open Hotels in the \
                 app, press Check connection, and send the result to whoever looks after Fidelio.",
            ),
        ),
        AlertKind::ClockOff => (
            lang.pick("Часы Fidelio идут неверно", "Fidelio's clock is off"),
            lang.pick(
                "Время изменений в Fidelio идёт назад или обгоняет настоящее. Изменения броней могут приходить с \
                 опозданием. Попросите администратора сервера отеля включить синхронизацию времени.",
                "Times of changes in Fidelio go back, or run ahead of the real time. Changes of bookings may come late. \
                 Ask whoever runs the hotel's server to switch on time synchronisation.",
            ),
        ),
        AlertKind::QueueStuck => (
            lang.pick("Изменения ждут больше часа", "Changes wait for more than an hour"),
            lang.pick(
                "То, что изменилось в отеле, больше часа не попадает в сделки и контакты. Ничего не потеряно. Откройте \
                 в приложении «Обзор»: там сказано, что мешает (например, портал ограничил запросы).",
                "What changed at the hotel has not reached deals and contacts for more than an hour. Nothing is lost. \
                 Open Overview in the app: it says what is in the way (the portal limiting requests, for example).",
            ),
        ),
        AlertKind::Drift => (
            lang.pick("Сверка нашла расхождения", "The reconciliation found differences"),
            lang.pick(
                "Данные отеля и Битрикс24 разошлись; что можно исправить, исправляется само. Откройте отчёт сверки в \
                 приложении и посмотрите, что осталось.",
                "What the hotel holds and what Bitrix24 holds differ; what can be mended mends itself. Open the \
                 reconciliation report in the app and see what is left.",
            ),
        ),
        AlertKind::TokenLost => (
            lang.pick("Портал закрыл нам доступ", "The portal took our access back"),
            lang.pick(
                "Приложение больше не может работать с порталом: брони и гости в нём не обновляются. Ничего не потеряно. \
                 Пусть администратор портала один раз откроет приложение: доступ вернётся сам.",
                "The app cannot work with the portal any more: bookings and guests are not brought up to date there. \
                 Nothing is lost. Let an admin of the portal open the app once: the access comes back by itself.",
            ),
        ),
        AlertKind::PaymentEnding => (
            lang.pick("Заканчивается оплата", "Payment is about to end"),
            lang.pick(
                "Срок приложения или тарифа портала кончается в ближайшие дни или уже кончился. Без оплаты брони и гости \
                 перестанут обновляться; данные сохраняются. Продлите приложение или тариф в Битрикс24.",
                "The term of the app, or the portal's plan, ends within days or has ended. Without payment bookings and \
                 guests are no longer brought up to date; the data is kept. Renew the app or the plan in Bitrix24.",
            ),
        ),
        AlertKind::EventsLost => (
            lang.pick("Портал сообщает не обо всех изменениях", "The portal does not tell of all changes"),
            lang.pick(
                "О многом из того, что меняют в сделках и контактах, Битрикс24 нам не сообщает или сообщает слишком \
                 поздно. Ничего не потеряно: приложение находит изменения само, но на несколько минут позже. Обычно портал \
                 не может достучаться до сервера приложения или считает его медленным и откладывает сообщения. Попросите \
                 администратора сервера проверить, что адрес приложения открыт для Битрикс24 и отвечает быстро. Доля \
                 пропущенного видна в приложении: «Состояние».",
                "Bitrix24 does not tell us of much that is changed in deals and contacts, or tells it too late. Nothing is \
                 lost: the app finds changes by itself, but minutes later. Mostly the portal cannot reach the app's server, \
                 or takes it for slow and puts its messages off. Ask whoever runs the server to check that the app's \
                 address is open to Bitrix24 and answers fast. The app shows how much was missed: Status.",
            ),
        ),
        AlertKind::ImportFailed => (
            lang.pick("Импорт броней не завершён", "The import of bookings did not finish"),
            lang.pick(
                "Импорт остановился на ошибке и сам не продолжится: часть броней за выбранный период не попала в \
                 Битрикс24. Прочитанное сохранено, новые изменения приходят как обычно. Откройте в приложении «Импорт»: \
                 там сказана причина. Устраните её и нажмите «Продолжить»: импорт пойдёт с того места, где остановился.",
                "The import stopped at an error and does not go on by itself: some bookings of its range are not in \
                 Bitrix24. What was read is kept, and new changes come as usual. Open Import in the app: it says why. \
                 Mend that and press Continue: the import goes on from where it stopped.",
            ),
        ),
        AlertKind::Unreconciled => (
            lang.pick("Сверка не выполняется", "The reconciliation does not get done"),
            lang.pick(
                "Последняя сверка отеля не дошла до конца, или её не было больше полутора суток. Изменения приходят как \
                 обычно, но пропущенное никто не ищет. Откройте в приложении отель и раздел «Сверка»: там сказана причина. \
                 Проверьте связь с Fidelio и нажмите «Сверить сейчас».",
                "The hotel's last reconciliation did not come to its end, or there was none for a day and a half. Changes \
                 come as usual, but nobody looks for what was missed. Open the hotel in the app and see Reconciliation: it \
                 says why. Check the link to Fidelio and press Reconcile now.",
            ),
        ),
    }
}

fn over(kind: AlertKind, lang: Lang) -> (&'static str, &'static str) {
    let good = lang.pick("Делать ничего не нужно.", "There is nothing to do.");
    let what = match kind {
        AlertKind::LinkDown => lang.pick("Связь с Fidelio восстановлена", "The link to Fidelio is back"),
        AlertKind::ClockOff => lang.pick("Часы Fidelio снова верны", "Fidelio's clock is right again"),
        AlertKind::QueueStuck => lang.pick("Очередь изменений разобрана", "The changes that waited are through"),
        AlertKind::Drift => lang.pick("Расхождений больше нет", "There are no differences any more"),
        AlertKind::TokenLost => lang.pick("Доступ к порталу восстановлен", "The access to the portal is back"),
        AlertKind::PaymentEnding => lang.pick("Оплата продлена", "The payment is renewed"),
        AlertKind::EventsLost => lang.pick("Портал снова сообщает об изменениях", "The portal tells of changes again"),
        AlertKind::ImportFailed => lang.pick("Импорт броней снова идёт", "The import of bookings goes on"),
        AlertKind::Unreconciled => lang.pick("Сверка снова выполнена", "The reconciliation is done again"),
    };
    (what, good)
}

#[cfg(test)]
mod tests {
    use super::super::{To, Told};
    use super::*;
    use crate::domain::HotelId;

    #[test]
    fn s48_every_alert_says_what_it_means_in_both_languages() {
        for kind in AlertKind::ALL {
            for over in [false, true] {
                let said = [Lang::Ru, Lang::En].map(|lang| {
                    words(&Notice {
                        to: To::User(1),
                        kind,
                        over,
                        hotel: Some(Told { id: HotelId(1), code: "GRAND".into(), name: "Grand".into() }),
                        since: "22.11.2026 09:00".into(),
                        domain: "hotel.bitrix24.ru".into(),
                        lang,
                    })
                });
                let [ru, en] = said;
                assert_ne!(ru.title, en.title);
                for words in [&ru, &en] {
                    assert!(words.title.contains("GRAND") && words.text.contains("22.11.2026 09:00"));
                    assert!(words.footer.contains("hotel.bitrix24.ru"));
                    assert!(!words.text.contains('{') && !words.text.contains("  "), "{}", words.text);
                }
                assert!(en.title.is_ascii() && en.text.is_ascii(), "{}", en.text);
            }
        }
    }
}
