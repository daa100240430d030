//! Reading: one object, or a whole list.
//!
//! A list is complete or an error, never a part: pages of one list are of one moment, which the `continue` token
//! stands for. When that moment is gone (410 Expired, <https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks>)
//! the list begins again once, and the token that the API server offers for going on inconsistently is not used.
//! Items become rows as they arrive, so that memory holds the rows and one item.

use super::client::{Cluster, Paging, built};
use super::encoding::Format;
use super::error::Error;
use super::plan::{ASK_FOR, ListPlan, Way};
use super::resource::Resource;
use super::slim::Slim;
use super::transport::Answer;
use crate::call::{Call, Operation};
use crate::syntax::{ListFilter, ObjectName};
use http::header::ACCEPT;
use http::{Request, StatusCode};
use kube::api::{GetParams, ListParams};
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use tokio::time::{Instant, timeout_at};

/// The longest `continue` token that is sent back. The API server's have a few hundred bytes, and proxies take no request
/// line of more than 8 KiB.
const TOKEN_MAX: usize = 4096;

/// The most pages without an object that may follow each other. The API's contract allows for them ("up to zero items",
/// `limit` of `ListOptions`); kube-apiserver itself reads on until a page is full or the list ends
/// (`k8s.io/apiserver/pkg/storage/etcd3/store.go`), so that it sends none before the last.
const EMPTY_PAGES_MAX: u32 = 16;

/// A list that is complete.
#[derive(Debug)]
pub(crate) struct Listed<R> {
    /// One for each object, in the order of the API server.
    pub rows: Vec<R>,
    /// Calls that it took, retries not counted.
    pub calls: u32,
    /// True if it shows the newest state of the moment when it was asked for: what it lacks did not exist then. False for
    /// `list.plan: watch_cache`, which may lag.
    pub consistent: bool,
}

/// A page, its items made into rows.
pub(super) struct Page<R> {
    pub(super) rows: Vec<R>,
    next: Option<String>,
    remaining: Option<usize>,
}

impl<R> Page<R> {
    /// Number of objects on the pages after it; `None` if the API server does not tell it, as of lists with a selector.
    pub(super) fn behind(&self) -> Option<usize> {
        if self.next.is_none() { Some(0) } else { self.remaining }
    }
}

impl Cluster {
    /// One object, of which the fields of use are read.
    ///
    /// # Errors
    /// As [`Cluster::list`]; one that does not exist is [`Error::Answered`] with 404.
    pub(crate) async fn get<T: Slim>(&self, resource: Resource, name: &ObjectName, call: &Call) -> Result<T, Error> {
        let operation = Operation { verb: "get", resource: resource.plural() };
        let attempt = || async {
            let request = self.requests(resource).get(name.as_str(), &GetParams::default());
            let mut answer = self.exchange(operation, self.reading(built(request)?), call).await?.success().await?;
            let format = Format::of(&answer.headers);
            format.object(answer.whole(self.settings.paging.get().max_item_bytes).await?)
        };
        self.retries.run(call, attempt).await
    }

    /// One object with all of its fields, to be changed and written back.
    pub(crate) async fn get_in_full(
        &self,
        resource: Resource,
        name: &ObjectName,
        call: &Call,
    ) -> Result<serde_json::Value, Error> {
        let operation = Operation { verb: "get", resource: resource.plural() };
        let attempt = || async {
            let request = self.requests(resource).get(name.as_str(), &GetParams::default());
            self.attempt(operation, built(request)?, call).await
        };
        let body = self.retries.run(call, attempt).await?;
        serde_json::from_slice(&body).map_err(Error::not_json)
    }

    /// All objects of `resource` that `filter` asks for, each made into a row by `project` as soon as it has come.
    ///
    /// # Errors
    /// [`Error`] if any page could not be had before the call's deadline; then no page counts.
    pub(crate) async fn list<T: Slim, R: Send>(
        &self,
        resource: Resource,
        filter: &ListFilter,
        call: &Call,
        project: impl FnMut(T) -> R + Send,
    ) -> Result<Listed<R>, Error> {
        let project = Mutex::new(project);
        let way = self.way(call).await;
        let listed = match self.pages(resource, filter, way, call, &project).await {
            Err(error) if error.has_status(StatusCode::GONE) => {
                log::info!("the list of {} expired between two pages, beginning again: {error}", resource.plural());
                self.pages(resource, filter, way, call, &project).await
            }
            outcome => outcome,
        };
        if listed.as_ref().is_err_and(Error::is_silence) {
            self.version.doubt();
        }
        listed
    }

    async fn pages<T: Slim, R: Send>(
        &self,
        resource: Resource,
        filter: &ListFilter,
        way: Way,
        call: &Call,
        project: &Mutex<impl FnMut(T) -> R + Send>,
    ) -> Result<Listed<R>, Error> {
        let mut call = call.clone();
        let mut params = self.first_page(filter, way);
        let (mut tokens, mut empty_pages) = (HashSet::new(), 0);
        let mut listed = Listed { rows: Vec::new(), calls: 0, consistent: way.is_consistent() };
        loop {
            let mut page = self.page(resource, &params, listed.rows.len(), &call, project).await?;
            listed.calls += 1;
            empty_pages = if page.rows.is_empty() { empty_pages + 1 } else { 0 };
            listed.rows.append(&mut page.rows);
            let Some(token) = page.next else { return Ok(listed) };
            if empty_pages > EMPTY_PAGES_MAX {
                return Err(Error::Unreadable(format!(
                    "it has more than {EMPTY_PAGES_MAX} pages without an object one after the other"
                )));
            }
            if token.len() > TOKEN_MAX || !tokens.insert(token.clone()) {
                return Err(Error::Unreadable("its continue token has come before, or is too long".to_owned()));
            }
            params.continue_token = Some(token);
            call = call.for_further_pages();
        }
    }

    pub(super) async fn page<T: Slim, R: Send>(
        &self,
        resource: Resource,
        params: &ListParams,
        had: usize,
        call: &Call,
        project: &Mutex<impl FnMut(T) -> R + Send>,
    ) -> Result<Page<R>, Error> {
        let operation = Operation { verb: "list", resource: resource.plural() };
        let attempt = || async {
            let request = self.reading(built(self.requests(resource).list(params))?);
            let answer = self.exchange(operation, request, call).await?.success().await?;
            self.read_page(answer, had, project).await
        };
        self.retries.run(call, attempt).await
    }

    /// Reads a page; `had` rows have come with earlier ones.
    async fn read_page<T: Slim, R>(
        &self,
        mut answer: Answer,
        had: usize,
        project: &Mutex<impl FnMut(T) -> R + Send>,
    ) -> Result<Page<R>, Error> {
        let Paging { max_objects, max_item_bytes, .. } = self.settings.paging.get();
        let mut reader = Format::of(&answer.headers).list(max_item_bytes);
        let mut rows = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            reader.feed(&chunk, |item| {
                if had + rows.len() >= max_objects.get() {
                    return Err(Error::Unreadable(format!(
                        "it has more than {max_objects} objects (list.max_objects)"
                    )));
                }
                rows.push(project.lock().unwrap_or_else(PoisonError::into_inner)(item));
                Ok(())
            })?;
        }
        let metadata = reader.finish()?;
        let remaining = metadata.remaining_item_count.and_then(|count| usize::try_from(count).ok());
        Ok(Page { rows, next: Some(metadata.r#continue).filter(|token| !token.is_empty()), remaining })
    }

    /// Parameters of a list's first page.
    pub(super) fn first_page(&self, filter: &ListFilter, way: Way) -> ListParams {
        let Paging { page_size, max_objects, .. } = self.settings.paging.get();
        let guard = u32::try_from(max_objects.get()).unwrap_or(u32::MAX);
        ListParams {
            label_selector: filter.label_selector(),
            field_selector: filter.field_selector(),
            ..match way {
                Way::Pages => ListParams::default().limit(page_size.get()),
                Way::Whole => ListParams::default().limit(guard),
                Way::Memory => ListParams::default().at("0"),
            }
        }
    }

    /// Way of asking for a list now. The first one asks for the API server's version; others that come meanwhile wait
    /// with it.
    pub(super) async fn way(&self, call: &Call) -> Way {
        match self.settings.paging.get().plan {
            ListPlan::Paged => return Way::Pages,
            ListPlan::WatchCache => return Way::Memory,
            ListPlan::Auto => {}
        }
        if let Some(way) = self.version.way() {
            return way;
        }
        let call = Call::until(call.deadline().min(Instant::now() + ASK_FOR));
        let asked = timeout_at(call.deadline(), async {
            let _one_at_a_time = self.version.asking.lock().await;
            if self.version.way().is_none() {
                let operation = Operation { verb: "get", resource: "version" };
                let answer = match Request::get("/version").body(Vec::new()) {
                    Ok(request) => self.attempt(operation, request, &call).await,
                    Err(error) => Err(Error::Internal(error.to_string())),
                };
                self.version.learn(answer.as_deref());
            }
        });
        if asked.await.is_err() {
            self.version.learn(Err(&Error::Deadline));
        }
        self.version.way().unwrap_or(Way::Pages)
    }

    /// The request with the encodings that are understood.
    fn reading(&self, mut request: Request<Vec<u8>>) -> Request<Vec<u8>> {
        request.headers_mut().insert(ACCEPT, self.settings.encoding.accept());
        request
    }
}
