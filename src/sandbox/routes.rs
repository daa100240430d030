//! The sandbox's own routes: the counters, the faults, and compaction.

use actix_web::web::{self, Bytes, Data, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use serde_json::json;

use super::exchange::Shared;
use super::faults::Faults;

/// Mounts the routes.
pub(super) fn mount(config: &mut ServiceConfig, shared: Data<Shared>) {
    config.service(
        web::scope("/sandbox")
            .app_data(shared)
            .route("/calls", web::get().to(show_calls))
            .route("/calls", web::delete().to(reset_calls))
            .route("/faults", web::get().to(show_faults))
            .route("/faults", web::put().to(set_faults))
            .route("/faults", web::delete().to(clear_faults))
            .route("/compact", web::post().to(compact)),
    );
}

async fn show_calls(shared: Data<Shared>) -> impl Responder {
    web::Json(shared.counters.snapshot())
}

async fn reset_calls(shared: Data<Shared>) -> impl Responder {
    shared.counters.reset();
    web::Json(shared.counters.snapshot())
}

async fn show_faults(shared: Data<Shared>) -> impl Responder {
    web::Json(shared.control.faults())
}

async fn set_faults(shared: Data<Shared>, body: Bytes) -> HttpResponse {
    match Faults::parse(&body) {
        Ok(faults) => {
            shared.control.replace(faults);
            HttpResponse::Ok().json(shared.control.faults())
        }
        Err(why) => HttpResponse::BadRequest().json(json!({"message": format!("faults: {why}")})),
    }
}

async fn clear_faults(shared: Data<Shared>) -> impl Responder {
    shared.control.replace(Faults::default());
    web::Json(shared.control.faults())
}

async fn compact(shared: Data<Shared>) -> impl Responder {
    shared.api.compact();
    HttpResponse::NoContent()
}
