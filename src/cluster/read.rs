//! Reading: one object, or a whole list page by page.
//!
//! A list is complete or an error, never a part: pages of one list are of one moment, which the `continue` token
//! stands for. When that moment is gone (410 Expired, <https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks>)
//! the list begins again once, and the token that the API server offers for going on inconsistently is not used.

use super::client::{Cluster, ListPlan, Paging, built};
use super::error::Error;
use super::resource::Resource;
use crate::call::{Call, Operation};
use crate::syntax::{ListFilter, ObjectName};
use bytes::Bytes;
use http::StatusCode;
use kube::api::{GetParams, ListParams};
use serde::Deserialize;
use serde::de::DeserializeOwned;

impl Cluster {
    /// One object.
    ///
    /// # Errors
    /// As [`Cluster::list`]; one that does not exist is [`Error::Answered`] with 404.
    pub async fn get<T: DeserializeOwned + Send + 'static>(
        &self,
        resource: Resource,
        name: &ObjectName,
        call: &Call,
    ) -> Result<T, Error> {
        let operation = Operation { verb: "get", resource: resource.plural() };
        let attempt = || async {
            let request = self.requests(resource).get(name.as_str(), &GetParams::default());
            self.attempt(operation, built(request)?, call).await
        };
        let body = self.retries.run(call, attempt).await?;
        serde_json::from_slice(&body).map_err(Error::not_json)
    }

    /// All objects of `resource` that `filter` asks for.
    ///
    /// # Errors
    /// [`Error`] if any page could not be had before the call's deadline; then no page counts.
    pub async fn list<T: DeserializeOwned + Send + 'static>(
        &self,
        resource: Resource,
        filter: &ListFilter,
        call: &Call,
    ) -> Result<Vec<T>, Error> {
        match self.pages(resource, filter, call).await {
            Err(error) if error.has_status(StatusCode::GONE) => {
                log::info!("the list of {} expired between two pages, beginning again: {error}", resource.plural());
                self.pages(resource, filter, call).await
            }
            outcome => outcome,
        }
    }

    async fn pages<T: DeserializeOwned + Send + 'static>(
        &self,
        resource: Resource,
        filter: &ListFilter,
        call: &Call,
    ) -> Result<Vec<T>, Error> {
        let mut call = call.clone();
        let mut params = self.first_page(filter);
        let mut items = Vec::new();
        loop {
            let page = decode(self.page(resource, &params, &call).await?).await?;
            items.extend(page.items.unwrap_or_default());
            match page.metadata.next {
                Some(token) if !token.is_empty() => params.continue_token = Some(token),
                _ => return Ok(items),
            }
            call = call.for_further_pages();
        }
    }

    /// What a list asks for to begin with.
    pub(super) fn first_page(&self, filter: &ListFilter) -> ListParams {
        let Paging { page_size, plan } = self.settings.paging.get();
        ListParams {
            label_selector: filter.label_selector(),
            field_selector: filter.field_selector(),
            ..match plan {
                ListPlan::Paged => ListParams::default().limit(page_size.get()),
                ListPlan::WatchCache => ListParams::default().at("0"),
            }
        }
    }

    async fn page(&self, resource: Resource, params: &ListParams, call: &Call) -> Result<Bytes, Error> {
        let operation = Operation { verb: "list", resource: resource.plural() };
        let attempt = || async { self.attempt(operation, built(self.requests(resource).list(params))?, call).await };
        self.retries.run(call, attempt).await
    }
}

/// Decodes a page off the async threads: 500 objects are megabytes of JSON, milliseconds of work.
async fn decode<T: DeserializeOwned + Send + 'static>(body: Bytes) -> Result<Page<T>, Error> {
    let decoded = tokio::task::spawn_blocking(move || serde_json::from_slice(&body)).await;
    decoded.map_err(|error| Error::Internal(error.to_string()))?.map_err(Error::not_json)
}

#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct Page<T> {
    #[serde(default)]
    metadata: PageMeta,
    /// `null` is an empty list, as Go writes one; a body without the field is no list at all.
    #[serde(deserialize_with = "Option::deserialize")]
    items: Option<Vec<T>>,
}

#[derive(Deserialize, Default)]
struct PageMeta {
    #[serde(rename = "continue")]
    next: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_that_is_no_list_is_not_an_empty_list() {
        let read = async |body: &'static str| decode::<serde_json::Value>(Bytes::from(body)).await;
        assert!(read(r#"{"metadata":{}}"#).await.is_err());
        assert!(read("<html>").await.is_err());
        assert_eq!(read(r#"{"metadata":{},"items":null}"#).await.ok().map(|page| page.items), Some(None));
        let page = read(r#"{"metadata":{"continue":"t"},"items":[1]}"#).await.ok().unwrap();
        assert_eq!((page.metadata.next.as_deref(), page.items.unwrap().len()), (Some("t"), 1));
    }
}
