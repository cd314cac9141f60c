//! The kinds of refusals of the API: their stable names, statuses and titles.

use actix_web::http::StatusCode;

use super::lang::Lang;

/// What went wrong, as a closed list: the OpenAPI document names each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Unauthenticated,
    SessionExpired,
    Unverified,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    Malformed,
    TooLarge,
    UnsupportedMediaType,
    Validation,
    Unsupported,
    Conflict,
    KeyReused,
    InProgress,
    TooMany,
    PortalNotReady,
    PortalSuspended,
    PortalUnavailable,
    Unavailable,
    Internal,
}

impl Kind {
    pub const ALL: [Self; 20] = [
        Self::Unauthenticated,
        Self::SessionExpired,
        Self::Unverified,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Malformed,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::Validation,
        Self::Unsupported,
        Self::Conflict,
        Self::KeyReused,
        Self::InProgress,
        Self::TooMany,
        Self::PortalNotReady,
        Self::PortalSuspended,
        Self::PortalUnavailable,
        Self::Unavailable,
        Self::Internal,
    ];

    fn entry(self) -> (&'static str, StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Self::Unauthenticated => ("unauthenticated", S::UNAUTHORIZED, "Вход не выполнен", "Not signed in"),
            Self::SessionExpired => ("session-expired", S::UNAUTHORIZED, "Сеанс закончился", "The session has ended"),
            Self::Unverified => (
                "unverified",
                S::UNAUTHORIZED,
                "Портал не подтвердил этот вход",
                "The portal did not confirm this sign-in",
            ),
            Self::Forbidden => ("forbidden", S::FORBIDDEN, "Недостаточно прав", "Not allowed"),
            Self::NotFound => ("not-found", S::NOT_FOUND, "Не найдено", "Not found"),
            Self::MethodNotAllowed => {
                ("method-not-allowed", S::METHOD_NOT_ALLOWED, "Такое действие здесь невозможно", "Method not allowed")
            }
            Self::Malformed => {
                ("malformed", S::BAD_REQUEST, "Запрос не удалось прочитать", "The request cannot be read")
            }
            Self::TooLarge => ("too-large", S::PAYLOAD_TOO_LARGE, "Запрос слишком велик", "The request is too large"),
            Self::UnsupportedMediaType => (
                "unsupported-media-type",
                S::UNSUPPORTED_MEDIA_TYPE,
                "Тело запроса должно быть application/json в UTF-8",
                "The body must be application/json in UTF-8",
            ),
            Self::Validation => {
                ("validation", S::UNPROCESSABLE_ENTITY, "Проверьте заполнение полей", "Some fields need attention")
            }
            Self::Unsupported => (
                "unsupported",
                S::UNPROCESSABLE_ENTITY,
                "Эта возможность появится в одном из следующих выпусков",
                "This arrives with a later release",
            ),
            Self::Conflict => ("conflict", S::CONFLICT, "Сейчас это невозможно", "This is not possible now"),
            Self::KeyReused => (
                "idempotency-key-reused",
                S::UNPROCESSABLE_ENTITY,
                "Этот Idempotency-Key уже использован с другим запросом",
                "This Idempotency-Key was used with another request",
            ),
            Self::InProgress => (
                "in-progress",
                S::CONFLICT,
                "Такой же запрос ещё выполняется",
                "The same request is still being carried out",
            ),
            Self::TooMany => {
                ("too-many", S::TOO_MANY_REQUESTS, "Слишком часто, подождите немного", "Too often, wait a little")
            }
            Self::PortalNotReady => (
                "portal-not-ready",
                S::CONFLICT,
                "Установка приложения на портале не закончена",
                "The app is not fully installed on the portal",
            ),
            Self::PortalSuspended => (
                "portal-suspended",
                S::PAYMENT_REQUIRED,
                "Срок оплаты приложения или тарифа истёк",
                "The app's or the portal's payment has run out",
            ),
            Self::PortalUnavailable => (
                "portal-unavailable",
                S::BAD_GATEWAY,
                "Портал Битрикс24 сейчас не отвечает",
                "The Bitrix24 portal does not answer now",
            ),
            Self::Unavailable => {
                ("unavailable", S::SERVICE_UNAVAILABLE, "Сервис временно недоступен", "Temporarily unavailable")
            }
            Self::Internal => ("internal", S::INTERNAL_SERVER_ERROR, "Внутренняя ошибка", "Internal error"),
        }
    }

    /// The stable last part of `type`.
    pub fn slug(self) -> &'static str {
        self.entry().0
    }

    pub fn status(self) -> StatusCode {
        self.entry().1
    }

    pub fn title(self, lang: Lang) -> &'static str {
        let (_, _, ru, en) = self.entry();
        lang.pick(ru, en)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s51_every_kind_has_its_own_stable_name_and_both_titles() {
        let mut seen = std::collections::BTreeSet::new();
        for kind in Kind::ALL {
            assert!(seen.insert(kind.slug()), "{} twice", kind.slug());
            assert!(kind.status().is_client_error() || kind.status().is_server_error());
            assert!(kind.title(Lang::Ru).chars().any(|c| ('а'..='я').contains(&c)), "{}", kind.slug());
            assert!(kind.title(Lang::En).is_ascii());
        }
    }
}
