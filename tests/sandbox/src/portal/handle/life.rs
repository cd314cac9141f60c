//! The app's life in the portal: installing, frames, payment, deleting.

use serde_json::Value;

use super::Portal;
use crate::portal::error::RestResult;
use crate::portal::lifecycle::{self, FrameForm};

/// What the app answered to a frame.
#[derive(Clone, Debug)]
pub struct FrameAnswer {
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: String,
    /// `Content-Security-Policy`.
    pub csp: String,
}

impl FrameAnswer {
    /// The JSON inside `<script id="fb24-boot">`.
    pub fn boot(&self) -> Option<Value> {
        let (_, after) = self.body.split_once("id=\"fb24-boot\"")?;
        let (_, after) = after.split_once('>')?;
        let (json, _) = after.split_once("</script>")?;
        serde_json::from_str(json).ok()
    }
}

impl Portal {
    /// The app is there and finished, without asking it: for tests that need tokens only.
    pub fn set_installed(&self) {
        let mut state = self.shared.lock();
        lifecycle::begin(&mut state, false);
    }

    /// Whether `installFinish` was called.
    pub fn is_installed(&self) -> bool {
        self.shared.lock().app.finished
    }

    /// The app was taken from the Market; its wizard waits to be opened.
    pub fn begin_install(&self) {
        lifecycle::begin(&mut self.shared.lock(), true);
    }

    /// What the installer page calls at its end.
    pub fn install_finish(&self, user: i64) -> RestResult<()> {
        let result = lifecycle::finish(&mut self.shared.lock(), user);
        self.shared.bell.notify_waiters();
        result
    }

    /// Script-only install: `ONAPPINSTALL` goes to this address.
    pub fn install_script(&self, user: i64, handler: &str) {
        lifecycle::install_script(&mut self.shared.lock(), user, handler);
        self.shared.bell.notify_waiters();
    }

    /// A new version of the app is accepted.
    pub fn update_app(&self, user: i64, with_page: bool) {
        lifecycle::update(&mut self.shared.lock(), user, with_page);
        self.shared.bell.notify_waiters();
    }

    /// The subscription ends (`paid` false) or is renewed.
    pub fn set_paid(&self, paid: bool, days: i64) {
        lifecycle::payment(&mut self.shared.lock(), paid, days);
        self.shared.bell.notify_waiters();
    }

    /// The admin deletes the app.
    pub fn uninstall(&self, clean: bool) {
        lifecycle::uninstall(&mut self.shared.lock(), clean);
        self.shared.bell.notify_waiters();
    }

    /// The exact fields a frame posts.
    pub fn frame_form(&self, user: i64, placement: &str, options: &Value) -> FrameForm {
        lifecycle::frame_form(&mut self.shared.lock(), user, placement, options)
    }

    /// Posts a frame to the app, as a browser does.
    pub async fn open_frame(&self, url: &str, form: &FrameForm) -> Result<FrameAnswer, reqwest::Error> {
        let joint = if url.contains('?') { '&' } else { '?' };
        let answer = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()?
            .post(format!("{url}{joint}{}", form.query_string()))
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Origin", self.url())
            .body(form.body_string())
            .send()
            .await?;
        let status = answer.status().as_u16();
        let csp = answer
            .headers()
            .get("content-security-policy")
            .and_then(|value| value.to_str().ok())
            .unwrap_or("")
            .to_owned();
        Ok(FrameAnswer { status, csp, body: answer.text().await? })
    }

    /// The admin installs the app: its installer opens in a frame, then the page finishes.
    pub async fn install(&self, app_base_url: &str) -> Result<FrameAnswer, reqwest::Error> {
        self.begin_install();
        let form = self.frame_form(1, "DEFAULT", &serde_json::json!([]));
        let answer = self.open_frame(&format!("{}/bitrix/install", app_base_url.trim_end_matches('/')), &form).await?;
        if answer.status == 200 && self.install_finish(1).is_err() {
            tracing::warn!("the sandbox portal could not finish the installation");
        }
        Ok(answer)
    }
}
