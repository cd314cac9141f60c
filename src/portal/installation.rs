//! How far a portal's set-up came, as `GET /api/v1/installation` shows it.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstallationState {
    #[default]
    Working,
    Ready,
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    Waiting,
    Working,
    Done,
    Failed,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// `preflight`, `claim`, `pipeline`, `stages`, `fields`, `placements`, `events`.
    pub code: String,
    pub state: StepState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Something the portal lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lack {
    /// A stable word; the page has a sentence for it in each language.
    pub code: String,
    /// What exactly: a scope, a method, a field, in plain English.
    pub hint: String,
    /// Nothing is created while this lacks; otherwise the app works without it.
    pub blocks: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Installation {
    pub state: InstallationState,
    pub steps: Vec<Step>,
    pub lacks: Vec<Lack>,
    /// The portal's own word: the wizard called `installFinish`, or there was none to call.
    pub installed: bool,
    /// When the portal's self-test event last reached us (ms).
    pub inbound_at: Option<i64>,
    pub updated_at: i64,
}

/// Every step of a set-up, in order.
pub const STEPS: [&str; 7] = ["preflight", "claim", "pipeline", "stages", "fields", "placements", "events"];

impl Installation {
    /// A set-up about to begin.
    pub fn begun(now: i64) -> Self {
        Self {
            steps: STEPS
                .iter()
                .map(|code| Step { code: (*code).to_owned(), state: StepState::Waiting, detail: None })
                .collect(),
            updated_at: now,
            ..Self::default()
        }
    }

    pub fn mark(&mut self, code: &str, state: StepState, detail: Option<String>) {
        if let Some(step) = self.steps.iter_mut().find(|step| step.code == code) {
            step.state = state;
            step.detail = detail;
        }
    }

    /// Says what lacks, once.
    pub fn lack(&mut self, code: &str, hint: impl Into<String>, blocks: bool) {
        let lack = Lack { code: code.to_owned(), hint: hint.into(), blocks };
        if !self.lacks.contains(&lack) {
            self.lacks.push(lack);
        }
    }

    pub fn blocked(&self) -> bool {
        self.lacks.iter().any(|lack| lack.blocks)
    }
}
