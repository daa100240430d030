//! One row of the route table: a path, and who answers there.

use super::error::ApiError;
use actix_web::web::{self, resource};
use actix_web::{FromRequest, Handler, HttpResponse, Resource, Responder};
use std::future::ready;

/// A path with its handlers.
pub(super) struct Route {
    path: &'static str,
    /// The methods that it has, as the header `Allow` lists them.
    allowed: &'static str,
    handlers: Vec<actix_web::Route>,
}

/// A path that answers to the methods `allowed`, and with 405 to others.
pub(super) fn at(path: &'static str, allowed: &'static str) -> Route {
    Route { path, allowed, handlers: Vec::new() }
}

/// A builder method for each HTTP method, all alike.
macro_rules! answered_by {
    ($($method:ident),+) => {
        $(
            pub(super) fn $method<H, Args>(self, handler: H) -> Self
            where
                H: Handler<Args, Output: Responder + 'static>,
                Args: FromRequest + 'static,
            {
                self.on(web::$method().to(handler))
            }
        )+
    };
}

impl Route {
    answered_by!(get, head, post, put, delete);

    fn on(mut self, handler: actix_web::Route) -> Self {
        self.handlers.push(handler);
        self
    }

    pub(super) fn into_resource(self) -> Resource {
        let allowed = self.allowed;
        let refuse = move || ready(Err::<HttpResponse, _>(ApiError::MethodNotAllowed { allowed }));
        let resource = resource(self.path).default_service(web::to(refuse));
        self.handlers.into_iter().fold(resource, Resource::route)
    }

    /// Its path, with each of its methods.
    #[cfg(test)]
    pub(super) fn operations(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let path = self.path;
        self.allowed.split(", ").map(move |method| (method, path))
    }
}
