//! The pipeline of stays: made once, marked, with the contract's stages.
//!
//! `crm.category.add` is the one call of the set-up that the portal would carry out twice. So what is about to be made
//! is written down before, and while a lost answer may still become a pipeline, nothing is decided.

use serde_json::json;

use super::plan::{self, STAGES};
use super::schema::StageSeen;
use super::survey::Survey;
use super::{Halt, Work};
use crate::bitrix::setup::{self, NewStage};
use crate::bitrix::{Class, Priority, de};
use crate::portal::{Pipeline, PortalSettings};

/// A commit may come this long after the request cap (product §2.1).
const CAP_MARGIN_MS: i64 = 5_000;

impl Work<'_> {
    /// Answers the pipeline, and whether its stages are still ours to arrange.
    pub(super) async fn pipeline(&mut self, survey: &Survey) -> Result<(i64, bool), Halt> {
        let settings = self.settings().await?;
        if let Some(mapped) = settings.pipeline.as_ref().filter(|pipeline| !pipeline.own) {
            if survey.categories.iter().any(|category| category.id == mapped.category_id) {
                return Ok((mapped.category_id, false));
            }
            self.report.lack("pipeline_gone", format!("pipeline {}", mapped.category_id), true);
            return Err(Halt::Failed("pipeline", "the mapped pipeline is gone".into()));
        }
        let fresh = settings.pipeline_started_at.is_some();
        if let Some(id) = survey.marked_pipeline() {
            self.change_settings(|settings| settings.pipeline = Some(Pipeline { category_id: id, own: true })).await?;
            return Ok((id, fresh));
        }
        let cap = self.request_cap_ms(&settings).saturating_add(CAP_MARGIN_MS);
        if let Some(started) = settings.pipeline_started_at
            && self.now() < started.saturating_add(cap)
        {
            // An earlier try may yet be carried out.
            return Err(Halt::Again(started.saturating_add(cap)));
        }
        self.make_pipeline(survey).await
    }

    async fn make_pipeline(&mut self, survey: &Survey) -> Result<(i64, bool), Halt> {
        let now = self.now();
        self.change_settings(|settings| {
            settings.pipeline = None;
            settings.stages.clear();
            settings.pipeline_started_at = Some(now);
        })
        .await?;
        let title = plan::pipeline_title(self.russian(survey));
        let call = setup::category_add(json!({
            "name": title, "sort": 500, "originatorId": plan::ORIGINATOR, "originId": plan::PIPELINE_ORIGIN,
        }));
        match self.client.call(Priority::Person, &call).await {
            Ok(answer) => {
                let category = answer.result.get("category").unwrap_or(&answer.result);
                let id = category.get("id").and_then(de::id).or_else(|| de::id(category));
                let Some(id) = id else { return Err(Halt::Again(self.now())) };
                self.change_settings(|settings| settings.pipeline = Some(Pipeline { category_id: id, own: true }))
                    .await?;
                Ok((id, true))
            }
            Err(error) if error.class == Class::Permanent && !error.outcome_unknown => {
                self.change_settings(|settings| settings.pipeline_started_at = None).await?;
                // Nothing was made yet: the plan's limit or a missing right is said before anything is.
                let code = if error.code() == "access_denied" { "crm_rights" } else { "pipeline_limit" };
                self.report.lack(code, format!("crm.category.add: {}", error.code()), true);
                Err(Halt::Failed("pipeline", error.to_string()))
            }
            Err(error) => {
                if !error.outcome_unknown {
                    self.change_settings(|settings| settings.pipeline_started_at = None).await?;
                }
                Err(error.into())
            }
        }
    }

    /// Stages of ours that are missing are added; in a pipeline just made the others go, and won and lost get our titles.
    pub(super) async fn stages(&mut self, survey: &Survey, category: i64, fresh: bool) -> Result<(), Halt> {
        let own = self.settings().await?.pipeline.is_none_or(|pipeline| pipeline.own);
        let seen = self.list_stages(survey, category).await?;
        if !own {
            return self.check_mapped_stages(category, &seen).await;
        }
        let won = seen.iter().find(|stage| stage.id == "WON").map_or(60, |stage| stage.sort);
        let after = seen.iter().map(|stage| stage.sort).max().unwrap_or(won);
        let russian = self.russian(survey);
        let dictionary = setup::stage_dictionary(category);
        let mut calls = Vec::new();
        let in_progress: i64 = 6;
        let mut place = 0;
        for stage in STAGES {
            if stage.semantics.is_none() {
                place += 1;
            }
            let found = seen.iter().find(|own| own.id == stage.id);
            let name = if russian { stage.ru } else { stage.en };
            match found {
                Some(row) if stage.given && fresh => {
                    calls.push(setup::status_update(row.row, json!({"NAME": name})));
                }
                Some(_) => {}
                None if stage.given => {
                    self.report.lack("stage_gone", stage.id, false);
                }
                None => {
                    // Stages in progress must stand below the won one (facts §7.5); a lost one after everything.
                    let sort = if stage.semantics.is_none() { won * place / in_progress } else { after + 10 };
                    let new = NewStage {
                        code: stage.id,
                        name,
                        sort: sort.max(1),
                        color: stage.color,
                        semantics: stage.semantics,
                    };
                    calls.push(setup::status_add(&dictionary, &new));
                }
            }
        }
        if fresh {
            for row in seen.iter().filter(|row| plan::DEFAULT_STAGES.contains(&row.id.as_str())) {
                // `FORCED`: some of the defaults are marked as the system's own.
                calls.push(setup::status_delete(row.row, true));
            }
        }
        self.carry_out(&calls).await?;
        if !calls.is_empty() {
            let seen = self.list_stages(survey, category).await?;
            let missing = STAGES.iter().find(|stage| !stage.given && !seen.iter().any(|own| own.id == stage.id));
            if let Some(stage) = missing {
                return Err(Halt::Failed("stages", format!("the portal did not take the stage {}", stage.id)));
            }
            if let Some(left) = seen.iter().find(|own| fresh && plan::DEFAULT_STAGES.contains(&own.id.as_str())) {
                self.report.lack("default_stage", left.id.clone(), false);
            }
        }
        self.change_settings(|settings: &mut PortalSettings| {
            for stage in STAGES {
                settings.stages.insert(stage.status, setup::stage_id(category, stage.id));
            }
            settings.pipeline_started_at = None;
        })
        .await
    }

    async fn check_mapped_stages(&mut self, category: i64, seen: &[StageSeen]) -> Result<(), Halt> {
        let prefix = setup::stage_id(category, "");
        for (status, stage) in self.settings().await?.stages {
            let short = stage.strip_prefix(prefix.as_str()).unwrap_or(&stage);
            if !seen.iter().any(|own| own.id == short) {
                self.report.lack("stage_gone", format!("{}: {stage}", status.word()), false);
            }
        }
        Ok(())
    }
}
