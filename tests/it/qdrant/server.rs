//! A Qdrant server in this process, on the service traits of its client: collections, aliases, points and exact cosines, over
//! real gRPC. It does what the adapter needs, as the documentation of the server tells it; all else is "unimplemented".

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use ::qdrant_client::qdrant::alias_operations::Action;
use ::qdrant_client::qdrant::collections_server::{Collections, CollectionsServer};
use ::qdrant_client::qdrant::condition::ConditionOneOf;
use ::qdrant_client::qdrant::r#match::MatchValue;
use ::qdrant_client::qdrant::point_id::PointIdOptions;
use ::qdrant_client::qdrant::points_server::{Points, PointsServer};
use ::qdrant_client::qdrant::qdrant_server::{Qdrant, QdrantServer};
use ::qdrant_client::qdrant::vectors_config::Config;
use ::qdrant_client::qdrant::*;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// What a collection holds.
#[derive(Default)]
pub struct Held {
    pub size: u64,
    pub quantised: bool,
    pub fields: BTreeSet<String>,
    pub points: BTreeMap<u64, PointStruct>,
}

/// What the server holds, and how it behaves.
#[derive(Default)]
pub struct State {
    pub collections: BTreeMap<String, Held>,
    pub aliases: BTreeMap<String, String>,
    /// So many of the next calls find it unavailable.
    pub away: usize,
    /// Calls by name, in order.
    pub heard: Vec<&'static str>,
    /// The only key it takes.
    pub key: Option<&'static str>,
    pub version: &'static str,
}

/// A running server; it ends with the test's runtime.
#[derive(Clone)]
pub struct Fake {
    state: Arc<Mutex<State>>,
    pub url: String,
}

impl Fake {
    pub async fn start() -> Fake {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = State { version: "1.20.0", ..State::default() };
        let fake = Fake { state: Arc::new(Mutex::new(state)), url };
        let serving = Server::builder()
            .add_service(CollectionsServer::new(fake.clone()))
            .add_service(PointsServer::new(fake.clone()))
            .add_service(QdrantServer::new(fake.clone()))
            .serve_with_incoming(TcpIncoming::from(listener));
        tokio::spawn(async { serving.await.unwrap() });
        fake
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The state for one call, when it is answered at all.
    fn asked<T>(&self, call: &'static str, request: &Request<T>) -> Result<MutexGuard<'_, State>, Status> {
        let mut state = self.state();
        state.heard.push(call);
        let key = request.metadata().get("api-key").and_then(|key| key.to_str().ok());
        if state.key.is_some() && state.key != key {
            return Err(Status::unauthenticated("Invalid API key or JWT"));
        }
        if state.away > 0 {
            state.away -= 1;
            return Err(Status::unavailable("going down"));
        }
        Ok(state)
    }
}

impl State {
    fn collection(&mut self, name: &str) -> Result<&mut Held, Status> {
        let name = self.aliases.get(name).cloned().unwrap_or_else(|| name.to_string());
        let missing = format!("Not found: Collection `{name}` doesn't exist!");
        self.collections.get_mut(&name).ok_or_else(|| Status::not_found(missing))
    }
}

fn dense(point: &PointStruct) -> Vec<f32> {
    let Some(vectors::VectorsOptions::Vector(vector)) = point.vectors.clone().and_then(|all| all.vectors_options)
    else {
        panic!("a point without a vector")
    };
    let Some(vector::Vector::Dense(dense)) = vector.vector else { panic!("a vector that is not dense") };
    dense.data
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    (dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()) as f32
}

fn values(point: &PointStruct, key: &str) -> Vec<String> {
    match point.payload.get(key).and_then(|value| value.kind.clone()) {
        Some(value::Kind::StringValue(text)) => vec![text],
        Some(value::Kind::ListValue(list)) => {
            let text = |value: Value| match value.kind {
                Some(value::Kind::StringValue(text)) => Some(text),
                _ => None,
            };
            list.values.into_iter().filter_map(text).collect()
        }
        _ => Vec::new(),
    }
}

fn meets(point: &PointStruct, filter: &Filter) -> bool {
    let met = |condition: &Condition| match condition.condition_one_of.as_ref().unwrap() {
        ConditionOneOf::Filter(filter) => meets(point, filter),
        ConditionOneOf::IsEmpty(empty) => values(point, &empty.key).is_empty(),
        ConditionOneOf::Field(field) => {
            let Some(MatchValue::Keyword(word)) = field.r#match.clone().and_then(|one| one.match_value) else {
                panic!("a match that is no keyword")
            };
            values(point, &field.key).contains(&word)
        }
        other => panic!("a condition nobody knows: {other:?}"),
    };
    filter.must.iter().all(met) && (filter.should.is_empty() || filter.should.iter().any(met))
}

fn done() -> Result<Response<CollectionOperationResponse>, Status> {
    Ok(Response::new(CollectionOperationResponse { result: true, time: 0.0 }))
}

/// A service of which a few calls are answered.
macro_rules! service {
    ($service:path { $($answered:tt)* } $($name:ident($asked:ty) -> $told:ty,)*) => {
        #[tonic::async_trait]
        impl $service for Fake {
            $($answered)*
            $(async fn $name(&self, _: Request<$asked>) -> Result<Response<$told>, Status> {
                Err(Status::unimplemented(stringify!($name)))
            })*
        }
    };
}

service!(Qdrant {
    async fn health_check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckReply>, Status> {
        let version = self.asked("health_check", &request)?.version.to_string();
        Ok(Response::new(HealthCheckReply { title: "qdrant".into(), version, commit: None }))
    }
});

service!(Collections {
    async fn create(
        &self,
        request: Request<CreateCollection>,
    ) -> Result<Response<CollectionOperationResponse>, Status> {
        let mut state = self.asked("create", &request)?;
        let wanted = request.into_inner();
        let Some(Config::Params(params)) = wanted.vectors_config.and_then(|vectors| vectors.config) else {
            return Err(Status::invalid_argument("no vectors"));
        };
        if params.distance() != Distance::Cosine || state.collections.contains_key(&wanted.collection_name) {
            return Err(Status::invalid_argument(format!("Collection `{}` already exists!", wanted.collection_name)));
        }
        let quantised = wanted.quantization_config.is_some();
        let held = Held { size: params.size, quantised, ..Held::default() };
        state.collections.insert(wanted.collection_name, held);
        done()
    }

    async fn get(&self, request: Request<GetCollectionInfoRequest>) -> Result<Response<GetCollectionInfoResponse>, Status> {
        let mut state = self.asked("get", &request)?;
        let held = state.collection(&request.get_ref().collection_name)?;
        let count = Some(held.points.len() as u64);
        let info = CollectionInfo { status: CollectionStatus::Green.into(), points_count: count, ..Default::default() };
        Ok(Response::new(GetCollectionInfoResponse { result: Some(info), time: 0.0 }))
    }

    async fn list(&self, request: Request<ListCollectionsRequest>) -> Result<Response<ListCollectionsResponse>, Status> {
        let state = self.asked("list", &request)?;
        let collections = state.collections.keys().map(|name| CollectionDescription { name: name.clone() }).collect();
        Ok(Response::new(ListCollectionsResponse { collections, time: 0.0 }))
    }

    async fn delete(
        &self,
        request: Request<DeleteCollection>,
    ) -> Result<Response<CollectionOperationResponse>, Status> {
        let mut state = self.asked("delete", &request)?;
        let name = request.into_inner().collection_name;
        state.aliases.retain(|_, collection| *collection != name);
        let result = state.collections.remove(&name).is_some();
        Ok(Response::new(CollectionOperationResponse { result, time: 0.0 }))
    }

    async fn update_aliases(
        &self,
        request: Request<ChangeAliases>,
    ) -> Result<Response<CollectionOperationResponse>, Status> {
        let mut state = self.asked("update_aliases", &request)?;
        for action in request.into_inner().actions {
            let Some(Action::CreateAlias(alias)) = action.action else {
                return Err(Status::unimplemented("only new aliases"));
            };
            state.collection(&alias.collection_name)?;
            state.aliases.insert(alias.alias_name, alias.collection_name);
        }
        done()
    }

    async fn collection_exists(
        &self,
        request: Request<CollectionExistsRequest>,
    ) -> Result<Response<CollectionExistsResponse>, Status> {
        let mut state = self.asked("collection_exists", &request)?;
        let exists = state.collection(&request.get_ref().collection_name).is_ok();
        Ok(Response::new(CollectionExistsResponse { result: Some(CollectionExists { exists }), time: 0.0 }))
    }
}
    update(UpdateCollection) -> CollectionOperationResponse,
    list_collection_aliases(ListCollectionAliasesRequest) -> ListAliasesResponse,
    list_aliases(ListAliasesRequest) -> ListAliasesResponse,
    collection_cluster_info(CollectionClusterInfoRequest) -> CollectionClusterInfoResponse,
    update_collection_cluster_setup(UpdateCollectionClusterSetupRequest) -> UpdateCollectionClusterSetupResponse,
    create_shard_key(CreateShardKeyRequest) -> CreateShardKeyResponse,
    delete_shard_key(DeleteShardKeyRequest) -> DeleteShardKeyResponse,
    list_shard_keys(ListShardKeysRequest) -> ListShardKeysResponse,
);

service!(Points {
    async fn upsert(&self, request: Request<UpsertPoints>) -> Result<Response<PointsOperationResponse>, Status> {
        let mut state = self.asked("upsert", &request)?;
        let sent = request.into_inner();
        let held = state.collection(&sent.collection_name)?;
        for point in sent.points {
            let Some(PointIdOptions::Num(row)) = point.id.clone().and_then(|id| id.point_id_options) else {
                return Err(Status::invalid_argument("only numbers"));
            };
            if dense(&point).len() as u64 != held.size {
                return Err(Status::invalid_argument("Vector dimension error"));
            }
            held.points.insert(row, point);
        }
        Ok(Response::new(PointsOperationResponse::default()))
    }

    async fn create_field_index(
        &self,
        request: Request<CreateFieldIndexCollection>,
    ) -> Result<Response<PointsOperationResponse>, Status> {
        let mut state = self.asked("create_field_index", &request)?;
        let wanted = request.into_inner();
        state.collection(&wanted.collection_name)?.fields.insert(wanted.field_name);
        Ok(Response::new(PointsOperationResponse::default()))
    }

    async fn query(&self, request: Request<QueryPoints>) -> Result<Response<QueryResponse>, Status> {
        let mut state = self.asked("query", &request)?;
        let asked = request.into_inner();
        let held = state.collection(&asked.collection_name)?;
        let Some(query::Variant::Nearest(input)) = asked.query.and_then(|query| query.variant) else {
            return Err(Status::unimplemented("only the nearest"));
        };
        let Some(vector_input::Variant::Dense(question)) = input.variant else {
            return Err(Status::unimplemented("only dense vectors"));
        };
        let fits = |point: &&PointStruct| asked.filter.as_ref().is_none_or(|filter| meets(point, filter));
        let found = held.points.values().filter(fits);
        let mut result: Vec<ScoredPoint> = found
            .map(|point| ScoredPoint {
                id: point.id.clone(),
                score: cosine(&dense(point), &question.data),
                ..ScoredPoint::default()
            })
            .collect();
        result.sort_by(|a, b| b.score.total_cmp(&a.score));
        result.truncate(asked.limit.unwrap_or(10) as usize);
        Ok(Response::new(QueryResponse { result, time: 0.0, usage: None }))
    }
}
    delete(DeletePoints) -> PointsOperationResponse,
    get(GetPoints) -> GetResponse,
    update_vectors(UpdatePointVectors) -> PointsOperationResponse,
    delete_vectors(DeletePointVectors) -> PointsOperationResponse,
    set_payload(SetPayloadPoints) -> PointsOperationResponse,
    overwrite_payload(SetPayloadPoints) -> PointsOperationResponse,
    delete_payload(DeletePayloadPoints) -> PointsOperationResponse,
    clear_payload(ClearPayloadPoints) -> PointsOperationResponse,
    delete_field_index(DeleteFieldIndexCollection) -> PointsOperationResponse,
    create_vector_name(CreateVectorNameRequest) -> PointsOperationResponse,
    delete_vector_name(DeleteVectorNameRequest) -> PointsOperationResponse,
    search(SearchPoints) -> SearchResponse,
    search_batch(SearchBatchPoints) -> SearchBatchResponse,
    search_groups(SearchPointGroups) -> SearchGroupsResponse,
    scroll(ScrollPoints) -> ScrollResponse,
    recommend(RecommendPoints) -> RecommendResponse,
    recommend_batch(RecommendBatchPoints) -> RecommendBatchResponse,
    recommend_groups(RecommendPointGroups) -> RecommendGroupsResponse,
    discover(DiscoverPoints) -> DiscoverResponse,
    discover_batch(DiscoverBatchPoints) -> DiscoverBatchResponse,
    count(CountPoints) -> CountResponse,
    update_batch(UpdateBatchPoints) -> UpdateBatchResponse,
    query_batch(QueryBatchPoints) -> QueryBatchResponse,
    query_groups(QueryPointGroups) -> QueryGroupsResponse,
    facet(FacetCounts) -> FacetResponse,
    search_matrix_pairs(SearchMatrixPoints) -> SearchMatrixPairsResponse,
    search_matrix_offsets(SearchMatrixPoints) -> SearchMatrixOffsetsResponse,
);
