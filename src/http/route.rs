//! Route: one row of the route table. A path, and for each method its handler and its description.
//!
//! Every worker has the table; descriptions are large, and made when somebody asks for them.

use super::error::ApiError;
use actix_web::web::{self, resource};
use actix_web::{FromRequest, Handler, HttpResponse, Resource, Responder};
use std::future::ready;
use utoipa::openapi::path::{HttpMethod, Operation, PathItem, PathItemBuilder};

/// Routes that are answered at once, also in an incident: the page and its status. They take no place of those who
/// wait, and are logged at debug only.
const IMMEDIATE: [&str; 2] = ["/", "/status"];

/// True if the route with this pattern is answered at once.
pub(super) fn is_immediate(pattern: Option<&str>) -> bool {
    pattern.is_some_and(|pattern| IMMEDIATE.contains(&pattern))
}

/// A path with what answers there.
pub(super) struct Route {
    path: &'static str,
    methods: Vec<Method>,
}

/// One method of a path.
struct Method {
    name: &'static str,
    handler: actix_web::Route,
    /// `None`: no part of the API, such as the page for people.
    description: Option<(HttpMethod, fn() -> Operation)>,
}

/// A path without methods yet. Those that it is not given are answered with 405.
pub(super) fn at(path: &'static str) -> Route {
    Route { path, methods: Vec::new() }
}

/// A builder method for each HTTP method, all alike.
macro_rules! answered_by {
    ($($function:ident: $name:literal $method:ident),+ $(,)?) => {
        $(
            #[doc = concat!("Answers `", $name, "` with `handler`, which `description` is about.")]
            pub(super) fn $function<H, Args>(self, handler: H, description: fn() -> Operation) -> Self
            where
                H: Handler<Args, Output: Responder + 'static>,
                Args: FromRequest + 'static,
            {
                let description = Some((HttpMethod::$method, description));
                self.answers(Method { name: $name, handler: web::$function().to(handler), description })
            }
        )+
    };
}

impl Route {
    answered_by!(get: "GET" Get, post: "POST" Post, put: "PUT" Put, delete: "DELETE" Delete);

    /// Shows a page for people at `GET` and `HEAD`. It is no part of the API and not described.
    pub(super) fn page<H, Args>(self, handler: H) -> Self
    where
        H: Handler<Args, Output: Responder + 'static>,
        Args: FromRequest + 'static,
    {
        self.answers(Method { name: "GET", handler: web::get().to(handler.clone()), description: None })
            .answers(Method { name: "HEAD", handler: web::head().to(handler), description: None })
    }

    fn answers(mut self, method: Method) -> Self {
        self.methods.push(method);
        self
    }

    /// True if a part of the path is a name.
    pub(super) fn has_name(&self) -> bool {
        self.path.contains('{')
    }

    /// The resource that actix routes by. The methods that the path has are listed in its 405 too (RFC 9110, section
    /// 15.5.6).
    pub(super) fn into_resource(self) -> Resource {
        let allowed = self.methods.iter().map(|method| method.name).collect::<Vec<_>>().join(", ");
        let refuse = move || ready(Err::<HttpResponse, _>(ApiError::MethodNotAllowed { allowed: allowed.clone() }));
        let resource = resource(self.path).default_service(web::to(refuse));
        self.methods.into_iter().fold(resource, |resource, method| resource.route(method.handler))
    }

    /// Its path and the description of its methods. `None`: it is no part of the API.
    pub(super) fn into_description(self) -> Option<(&'static str, PathItem)> {
        let described: Vec<_> = self.methods.into_iter().filter_map(|method| method.description).collect();
        let operations = described.into_iter();
        let item = operations.fold(None, |item: Option<PathItemBuilder>, (method, operation)| {
            Some(item.unwrap_or_default().operation(method, operation()))
        });
        Some((self.path, item?.build()))
    }
}
