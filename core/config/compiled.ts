// @ts-nocheck: made by ajv from schema.ts and dialect.ts, by `npm run schema`; edit those.
import { NO_OPTIONS, type Validate } from './dialect.ts'
import { configSchema } from './schema.ts'

/** As ajv counts the length of a text: in code points. */
const codePoints = (text) => {
  let count = 0
  for (const _ of text) count++
  return count
}

export const compiledCore: Validate = validate0;
const schema0 = configSchema;
const func0 = Object.prototype.hasOwnProperty;
const func1 = codePoints;
const pattern0 = new RegExp("^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$", "u");
const pattern2 = new RegExp("^(\\[[0-9A-Fa-f:.]+\\]|[^\\s:/\\[\\]]+):[0-9]{1,5}$", "u");

function validate0(data, {instancePath="", parentData, parentDataProperty, rootData=data, dynamicAnchors={}}={}){
let vErrors = null;
let errors = 0;
const evaluated0 = validate0.evaluated;
if(evaluated0.dynamicProps){
evaluated0.props = undefined;
}
if(evaluated0.dynamicItems){
evaluated0.items = undefined;
}
if(data && typeof data == "object" && !Array.isArray(data)){
for(const key0 in data){
if(!(func0.call(schema0.properties, key0))){
const err0 = {instancePath,schemaPath:"#/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key0},message:"must NOT have additional properties",schema:false,parentSchema:schema0,data};
if(vErrors === null){
vErrors = [err0];
}
else {
vErrors.push(err0);
}
errors++;
}
}
if(data.node !== undefined){
let data0 = data.node;
if(data0 && typeof data0 == "object" && !Array.isArray(data0)){
for(const key1 in data0){
if(!(key1 === "id")){
const err1 = {instancePath:instancePath+"/node",schemaPath:"#/properties/node/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key1},message:"must NOT have additional properties",schema:false,parentSchema:schema0.properties.node,data:data0};
if(vErrors === null){
vErrors = [err1];
}
else {
vErrors.push(err1);
}
errors++;
}
}
if(data0.id !== undefined){
let data1 = data0.id;
if(typeof data1 === "string"){
if(!pattern0.test(data1)){
const err2 = {instancePath:instancePath+"/node/id",schemaPath:"#/properties/node/properties/id/pattern",keyword:"pattern",params:{pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"},message:"must match pattern \""+"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"+"\"",schema:"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",parentSchema:schema0.properties.node.properties.id,data:data1};
if(vErrors === null){
vErrors = [err2];
}
else {
vErrors.push(err2);
}
errors++;
}
}
else {
const err3 = {instancePath:instancePath+"/node/id",schemaPath:"#/properties/node/properties/id/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema0.properties.node.properties.id.type,parentSchema:schema0.properties.node.properties.id,data:data1};
if(vErrors === null){
vErrors = [err3];
}
else {
vErrors.push(err3);
}
errors++;
}
}
}
else {
const err4 = {instancePath:instancePath+"/node",schemaPath:"#/properties/node/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema0.properties.node.type,parentSchema:schema0.properties.node,data:data0};
if(vErrors === null){
vErrors = [err4];
}
else {
vErrors.push(err4);
}
errors++;
}
}
if(data.storage !== undefined){
let data2 = data.storage;
const _errs8 = errors;
let valid2 = false;
const _errs9 = errors;
if(typeof data2 !== "string"){
const err5 = {instancePath:instancePath+"/storage",schemaPath:"#/properties/storage/anyOf/0/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema0.properties.storage.anyOf[0].type,parentSchema:schema0.properties.storage.anyOf[0],data:data2};
if(vErrors === null){
vErrors = [err5];
}
else {
vErrors.push(err5);
}
errors++;
}
if("memory" !== data2){
const err6 = {instancePath:instancePath+"/storage",schemaPath:"#/properties/storage/anyOf/0/const",keyword:"const",params:{allowedValue: "memory"},message:"must be equal to constant",schema:"memory",parentSchema:schema0.properties.storage.anyOf[0],data:data2};
if(vErrors === null){
vErrors = [err6];
}
else {
vErrors.push(err6);
}
errors++;
}
var _valid0 = _errs9 === errors;
valid2 = valid2 || _valid0;
const _errs11 = errors;
if(data2 && typeof data2 == "object" && !Array.isArray(data2)){
for(const key2 in data2){
if(!((((key2 === "dir") || (key2 === "fsync")) || (key2 === "intervalMs")) || (key2 === "segmentBytes"))){
const err7 = {instancePath:instancePath+"/storage",schemaPath:"#/properties/storage/anyOf/1/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key2},message:"must NOT have additional properties",schema:false,parentSchema:schema0.properties.storage.anyOf[1],data:data2};
if(vErrors === null){
vErrors = [err7];
}
else {
vErrors.push(err7);
}
errors++;
}
}
if(data2.dir !== undefined){
let data3 = data2.dir;
if(typeof data3 === "string"){
if(func1(data3) < 1){
const err8 = {instancePath:instancePath+"/storage/dir",schemaPath:"#/properties/storage/anyOf/1/properties/dir/minLength",keyword:"minLength",params:{limit: 1},message:"must NOT have fewer than 1 characters",schema:1,parentSchema:schema0.properties.storage.anyOf[1].properties.dir,data:data3};
if(vErrors === null){
vErrors = [err8];
}
else {
vErrors.push(err8);
}
errors++;
}
}
else {
const err9 = {instancePath:instancePath+"/storage/dir",schemaPath:"#/properties/storage/anyOf/1/properties/dir/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema0.properties.storage.anyOf[1].properties.dir.type,parentSchema:schema0.properties.storage.anyOf[1].properties.dir,data:data3};
if(vErrors === null){
vErrors = [err9];
}
else {
vErrors.push(err9);
}
errors++;
}
}
if(data2.fsync !== undefined){
let data4 = data2.fsync;
if(typeof data4 !== "string"){
const err10 = {instancePath:instancePath+"/storage/fsync",schemaPath:"#/properties/storage/anyOf/1/properties/fsync/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema0.properties.storage.anyOf[1].properties.fsync.type,parentSchema:schema0.properties.storage.anyOf[1].properties.fsync,data:data4};
if(vErrors === null){
vErrors = [err10];
}
else {
vErrors.push(err10);
}
errors++;
}
if(!(((data4 === "always") || (data4 === "interval")) || (data4 === "never"))){
const err11 = {instancePath:instancePath+"/storage/fsync",schemaPath:"#/properties/storage/anyOf/1/properties/fsync/enum",keyword:"enum",params:{allowedValues: schema0.properties.storage.anyOf[1].properties.fsync.enum},message:"must be equal to one of the allowed values",schema:schema0.properties.storage.anyOf[1].properties.fsync.enum,parentSchema:schema0.properties.storage.anyOf[1].properties.fsync,data:data4};
if(vErrors === null){
vErrors = [err11];
}
else {
vErrors.push(err11);
}
errors++;
}
}
if(data2.intervalMs !== undefined){
let data5 = data2.intervalMs;
if(!(((typeof data5 == "number") && (!(data5 % 1) && !isNaN(data5))) && (isFinite(data5)))){
const err12 = {instancePath:instancePath+"/storage/intervalMs",schemaPath:"#/properties/storage/anyOf/1/properties/intervalMs/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema0.properties.storage.anyOf[1].properties.intervalMs.type,parentSchema:schema0.properties.storage.anyOf[1].properties.intervalMs,data:data5};
if(vErrors === null){
vErrors = [err12];
}
else {
vErrors.push(err12);
}
errors++;
}
if((typeof data5 == "number") && (isFinite(data5))){
if(data5 > 60000 || isNaN(data5)){
const err13 = {instancePath:instancePath+"/storage/intervalMs",schemaPath:"#/properties/storage/anyOf/1/properties/intervalMs/maximum",keyword:"maximum",params:{comparison: "<=", limit: 60000},message:"must be <= 60000",schema:60000,parentSchema:schema0.properties.storage.anyOf[1].properties.intervalMs,data:data5};
if(vErrors === null){
vErrors = [err13];
}
else {
vErrors.push(err13);
}
errors++;
}
if(data5 < 1 || isNaN(data5)){
const err14 = {instancePath:instancePath+"/storage/intervalMs",schemaPath:"#/properties/storage/anyOf/1/properties/intervalMs/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1},message:"must be >= 1",schema:1,parentSchema:schema0.properties.storage.anyOf[1].properties.intervalMs,data:data5};
if(vErrors === null){
vErrors = [err14];
}
else {
vErrors.push(err14);
}
errors++;
}
}
}
if(data2.segmentBytes !== undefined){
let data6 = data2.segmentBytes;
if(!(((typeof data6 == "number") && (!(data6 % 1) && !isNaN(data6))) && (isFinite(data6)))){
const err15 = {instancePath:instancePath+"/storage/segmentBytes",schemaPath:"#/properties/storage/anyOf/1/properties/segmentBytes/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema0.properties.storage.anyOf[1].properties.segmentBytes.type,parentSchema:schema0.properties.storage.anyOf[1].properties.segmentBytes,data:data6};
if(vErrors === null){
vErrors = [err15];
}
else {
vErrors.push(err15);
}
errors++;
}
if((typeof data6 == "number") && (isFinite(data6))){
if(data6 > 1073741824 || isNaN(data6)){
const err16 = {instancePath:instancePath+"/storage/segmentBytes",schemaPath:"#/properties/storage/anyOf/1/properties/segmentBytes/maximum",keyword:"maximum",params:{comparison: "<=", limit: 1073741824},message:"must be <= 1073741824",schema:1073741824,parentSchema:schema0.properties.storage.anyOf[1].properties.segmentBytes,data:data6};
if(vErrors === null){
vErrors = [err16];
}
else {
vErrors.push(err16);
}
errors++;
}
if(data6 < 1048576 || isNaN(data6)){
const err17 = {instancePath:instancePath+"/storage/segmentBytes",schemaPath:"#/properties/storage/anyOf/1/properties/segmentBytes/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1048576},message:"must be >= 1048576",schema:1048576,parentSchema:schema0.properties.storage.anyOf[1].properties.segmentBytes,data:data6};
if(vErrors === null){
vErrors = [err17];
}
else {
vErrors.push(err17);
}
errors++;
}
}
}
}
else {
const err18 = {instancePath:instancePath+"/storage",schemaPath:"#/properties/storage/anyOf/1/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema0.properties.storage.anyOf[1].type,parentSchema:schema0.properties.storage.anyOf[1],data:data2};
if(vErrors === null){
vErrors = [err18];
}
else {
vErrors.push(err18);
}
errors++;
}
var _valid0 = _errs11 === errors;
valid2 = valid2 || _valid0;
if(!valid2){
const err19 = {instancePath:instancePath+"/storage",schemaPath:"#/properties/storage/anyOf",keyword:"anyOf",params:{},message:"must match a schema in anyOf",schema:schema0.properties.storage.anyOf,parentSchema:schema0.properties.storage,data:data2};
if(vErrors === null){
vErrors = [err19];
}
else {
vErrors.push(err19);
}
errors++;
}
else {
errors = _errs8;
if(vErrors !== null){
if(_errs8){
vErrors.length = _errs8;
}
else {
vErrors = null;
}
}
}
}
if(data.cluster !== undefined){
let data7 = data.cluster;
if(data7 && typeof data7 == "object" && !Array.isArray(data7)){
if(data7.name === undefined){
const err20 = {instancePath:instancePath+"/cluster",schemaPath:"#/properties/cluster/required",keyword:"required",params:{missingProperty: "name"},message:"must have required property '"+"name"+"'",schema:schema0.properties.cluster.required,parentSchema:schema0.properties.cluster,data:data7};
if(vErrors === null){
vErrors = [err20];
}
else {
vErrors.push(err20);
}
errors++;
}
for(const key3 in data7){
if(!(func0.call(schema0.properties.cluster.properties, key3))){
const err21 = {instancePath:instancePath+"/cluster",schemaPath:"#/properties/cluster/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key3},message:"must NOT have additional properties",schema:false,parentSchema:schema0.properties.cluster,data:data7};
if(vErrors === null){
vErrors = [err21];
}
else {
vErrors.push(err21);
}
errors++;
}
}
if(data7.name !== undefined){
let data8 = data7.name;
if(typeof data8 === "string"){
if(!pattern0.test(data8)){
const err22 = {instancePath:instancePath+"/cluster/name",schemaPath:"#/properties/cluster/properties/name/pattern",keyword:"pattern",params:{pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"},message:"must match pattern \""+"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"+"\"",schema:"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",parentSchema:schema0.properties.cluster.properties.name,data:data8};
if(vErrors === null){
vErrors = [err22];
}
else {
vErrors.push(err22);
}
errors++;
}
}
else {
const err23 = {instancePath:instancePath+"/cluster/name",schemaPath:"#/properties/cluster/properties/name/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema0.properties.cluster.properties.name.type,parentSchema:schema0.properties.cluster.properties.name,data:data8};
if(vErrors === null){
vErrors = [err23];
}
else {
vErrors.push(err23);
}
errors++;
}
}
if(data7.members !== undefined){
let data9 = data7.members;
if(data9 && typeof data9 == "object" && !Array.isArray(data9)){
if(Object.keys(data9).length < 1){
const err24 = {instancePath:instancePath+"/cluster/members",schemaPath:"#/properties/cluster/properties/members/minProperties",keyword:"minProperties",params:{limit: 1},message:"must NOT have fewer than 1 properties",schema:1,parentSchema:schema0.properties.cluster.properties.members,data:data9};
if(vErrors === null){
vErrors = [err24];
}
else {
vErrors.push(err24);
}
errors++;
}
for(const key4 in data9){
let data10 = data9[key4];
if(typeof data10 === "string"){
if(!pattern2.test(data10)){
const err25 = {instancePath:instancePath+"/cluster/members/" + key4.replace(/~/g, "~0").replace(/\//g, "~1"),schemaPath:"#/properties/cluster/properties/members/additionalProperties/pattern",keyword:"pattern",params:{pattern: "^(\\[[0-9A-Fa-f:.]+\\]|[^\\s:/\\[\\]]+):[0-9]{1,5}$"},message:"must match pattern \""+"^(\\[[0-9A-Fa-f:.]+\\]|[^\\s:/\\[\\]]+):[0-9]{1,5}$"+"\"",schema:"^(\\[[0-9A-Fa-f:.]+\\]|[^\\s:/\\[\\]]+):[0-9]{1,5}$",parentSchema:schema0.properties.cluster.properties.members.additionalProperties,data:data10};
if(vErrors === null){
vErrors = [err25];
}
else {
vErrors.push(err25);
}
errors++;
}
}
else {
const err26 = {instancePath:instancePath+"/cluster/members/" + key4.replace(/~/g, "~0").replace(/\//g, "~1"),schemaPath:"#/properties/cluster/properties/members/additionalProperties/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema0.properties.cluster.properties.members.additionalProperties.type,parentSchema:schema0.properties.cluster.properties.members.additionalProperties,data:data10};
if(vErrors === null){
vErrors = [err26];
}
else {
vErrors.push(err26);
}
errors++;
}
}
}
else {
const err27 = {instancePath:instancePath+"/cluster/members",schemaPath:"#/properties/cluster/properties/members/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema0.properties.cluster.properties.members.type,parentSchema:schema0.properties.cluster.properties.members,data:data9};
if(vErrors === null){
vErrors = [err27];
}
else {
vErrors.push(err27);
}
errors++;
}
}
if(data7.expect !== undefined){
let data11 = data7.expect;
if(!(((typeof data11 == "number") && (!(data11 % 1) && !isNaN(data11))) && (isFinite(data11)))){
const err28 = {instancePath:instancePath+"/cluster/expect",schemaPath:"#/properties/cluster/properties/expect/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema0.properties.cluster.properties.expect.type,parentSchema:schema0.properties.cluster.properties.expect,data:data11};
if(vErrors === null){
vErrors = [err28];
}
else {
vErrors.push(err28);
}
errors++;
}
if((typeof data11 == "number") && (isFinite(data11))){
if(data11 > 15 || isNaN(data11)){
const err29 = {instancePath:instancePath+"/cluster/expect",schemaPath:"#/properties/cluster/properties/expect/maximum",keyword:"maximum",params:{comparison: "<=", limit: 15},message:"must be <= 15",schema:15,parentSchema:schema0.properties.cluster.properties.expect,data:data11};
if(vErrors === null){
vErrors = [err29];
}
else {
vErrors.push(err29);
}
errors++;
}
if(data11 < 1 || isNaN(data11)){
const err30 = {instancePath:instancePath+"/cluster/expect",schemaPath:"#/properties/cluster/properties/expect/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1},message:"must be >= 1",schema:1,parentSchema:schema0.properties.cluster.properties.expect,data:data11};
if(vErrors === null){
vErrors = [err30];
}
else {
vErrors.push(err30);
}
errors++;
}
}
}
if(data7.discovery !== undefined){
let data12 = data7.discovery;
if(data12 && typeof data12 == "object" && !Array.isArray(data12)){
for(const key5 in data12){
if(!((key5 === "dns") || (key5 === "multicast"))){
const err31 = {instancePath:instancePath+"/cluster/discovery",schemaPath:"#/properties/cluster/properties/discovery/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key5},message:"must NOT have additional properties",schema:false,parentSchema:schema0.properties.cluster.properties.discovery,data:data12};
if(vErrors === null){
vErrors = [err31];
}
else {
vErrors.push(err31);
}
errors++;
}
}
if(data12.dns !== undefined){
let data13 = data12.dns;
if(Array.isArray(data13)){
const len0 = data13.length;
for(let i0=0; i0<len0; i0++){
let data14 = data13[i0];
if(typeof data14 === "string"){
if(func1(data14) < 1){
const err32 = {instancePath:instancePath+"/cluster/discovery/dns/" + i0,schemaPath:"#/properties/cluster/properties/discovery/properties/dns/items/minLength",keyword:"minLength",params:{limit: 1},message:"must NOT have fewer than 1 characters",schema:1,parentSchema:schema0.properties.cluster.properties.discovery.properties.dns.items,data:data14};
if(vErrors === null){
vErrors = [err32];
}
else {
vErrors.push(err32);
}
errors++;
}
}
else {
const err33 = {instancePath:instancePath+"/cluster/discovery/dns/" + i0,schemaPath:"#/properties/cluster/properties/discovery/properties/dns/items/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema0.properties.cluster.properties.discovery.properties.dns.items.type,parentSchema:schema0.properties.cluster.properties.discovery.properties.dns.items,data:data14};
if(vErrors === null){
vErrors = [err33];
}
else {
vErrors.push(err33);
}
errors++;
}
}
}
else {
const err34 = {instancePath:instancePath+"/cluster/discovery/dns",schemaPath:"#/properties/cluster/properties/discovery/properties/dns/type",keyword:"type",params:{type: "array"},message:"must be array",schema:schema0.properties.cluster.properties.discovery.properties.dns.type,parentSchema:schema0.properties.cluster.properties.discovery.properties.dns,data:data13};
if(vErrors === null){
vErrors = [err34];
}
else {
vErrors.push(err34);
}
errors++;
}
}
if(data12.multicast !== undefined){
let data15 = data12.multicast;
if(typeof data15 !== "boolean"){
const err35 = {instancePath:instancePath+"/cluster/discovery/multicast",schemaPath:"#/properties/cluster/properties/discovery/properties/multicast/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema0.properties.cluster.properties.discovery.properties.multicast.type,parentSchema:schema0.properties.cluster.properties.discovery.properties.multicast,data:data15};
if(vErrors === null){
vErrors = [err35];
}
else {
vErrors.push(err35);
}
errors++;
}
}
}
else {
const err36 = {instancePath:instancePath+"/cluster/discovery",schemaPath:"#/properties/cluster/properties/discovery/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema0.properties.cluster.properties.discovery.type,parentSchema:schema0.properties.cluster.properties.discovery,data:data12};
if(vErrors === null){
vErrors = [err36];
}
else {
vErrors.push(err36);
}
errors++;
}
}
if(data7.voters !== undefined){
let data16 = data7.voters;
if(!(((typeof data16 == "number") && (!(data16 % 1) && !isNaN(data16))) && (isFinite(data16)))){
const err37 = {instancePath:instancePath+"/cluster/voters",schemaPath:"#/properties/cluster/properties/voters/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema0.properties.cluster.properties.voters.type,parentSchema:schema0.properties.cluster.properties.voters,data:data16};
if(vErrors === null){
vErrors = [err37];
}
else {
vErrors.push(err37);
}
errors++;
}
if((typeof data16 == "number") && (isFinite(data16))){
if(data16 > 15 || isNaN(data16)){
const err38 = {instancePath:instancePath+"/cluster/voters",schemaPath:"#/properties/cluster/properties/voters/maximum",keyword:"maximum",params:{comparison: "<=", limit: 15},message:"must be <= 15",schema:15,parentSchema:schema0.properties.cluster.properties.voters,data:data16};
if(vErrors === null){
vErrors = [err38];
}
else {
vErrors.push(err38);
}
errors++;
}
if(data16 < 1 || isNaN(data16)){
const err39 = {instancePath:instancePath+"/cluster/voters",schemaPath:"#/properties/cluster/properties/voters/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1},message:"must be >= 1",schema:1,parentSchema:schema0.properties.cluster.properties.voters,data:data16};
if(vErrors === null){
vErrors = [err39];
}
else {
vErrors.push(err39);
}
errors++;
}
}
}
if(data7.replaceAfterMs !== undefined){
let data17 = data7.replaceAfterMs;
if(!(((typeof data17 == "number") && (!(data17 % 1) && !isNaN(data17))) && (isFinite(data17)))){
const err40 = {instancePath:instancePath+"/cluster/replaceAfterMs",schemaPath:"#/properties/cluster/properties/replaceAfterMs/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema0.properties.cluster.properties.replaceAfterMs.type,parentSchema:schema0.properties.cluster.properties.replaceAfterMs,data:data17};
if(vErrors === null){
vErrors = [err40];
}
else {
vErrors.push(err40);
}
errors++;
}
if((typeof data17 == "number") && (isFinite(data17))){
if(data17 > 86400000 || isNaN(data17)){
const err41 = {instancePath:instancePath+"/cluster/replaceAfterMs",schemaPath:"#/properties/cluster/properties/replaceAfterMs/maximum",keyword:"maximum",params:{comparison: "<=", limit: 86400000},message:"must be <= 86400000",schema:86400000,parentSchema:schema0.properties.cluster.properties.replaceAfterMs,data:data17};
if(vErrors === null){
vErrors = [err41];
}
else {
vErrors.push(err41);
}
errors++;
}
if(data17 < 1000 || isNaN(data17)){
const err42 = {instancePath:instancePath+"/cluster/replaceAfterMs",schemaPath:"#/properties/cluster/properties/replaceAfterMs/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1000},message:"must be >= 1000",schema:1000,parentSchema:schema0.properties.cluster.properties.replaceAfterMs,data:data17};
if(vErrors === null){
vErrors = [err42];
}
else {
vErrors.push(err42);
}
errors++;
}
}
}
if(data7.secret !== undefined){
let data18 = data7.secret;
if(typeof data18 === "string"){
if(func1(data18) < 16){
const err43 = {instancePath:instancePath+"/cluster/secret",schemaPath:"#/properties/cluster/properties/secret/minLength",keyword:"minLength",params:{limit: 16},message:"must NOT have fewer than 16 characters",schema:16,parentSchema:schema0.properties.cluster.properties.secret,data:data18};
if(vErrors === null){
vErrors = [err43];
}
else {
vErrors.push(err43);
}
errors++;
}
}
else {
const err44 = {instancePath:instancePath+"/cluster/secret",schemaPath:"#/properties/cluster/properties/secret/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema0.properties.cluster.properties.secret.type,parentSchema:schema0.properties.cluster.properties.secret,data:data18};
if(vErrors === null){
vErrors = [err44];
}
else {
vErrors.push(err44);
}
errors++;
}
}
if(data7.tls !== undefined){
let data19 = data7.tls;
if(data19 && typeof data19 == "object" && !Array.isArray(data19)){
if(data19.ca === undefined){
const err45 = {instancePath:instancePath+"/cluster/tls",schemaPath:"#/properties/cluster/properties/tls/required",keyword:"required",params:{missingProperty: "ca"},message:"must have required property '"+"ca"+"'",schema:schema0.properties.cluster.properties.tls.required,parentSchema:schema0.properties.cluster.properties.tls,data:data19};
if(vErrors === null){
vErrors = [err45];
}
else {
vErrors.push(err45);
}
errors++;
}
if(data19.cert === undefined){
const err46 = {instancePath:instancePath+"/cluster/tls",schemaPath:"#/properties/cluster/properties/tls/required",keyword:"required",params:{missingProperty: "cert"},message:"must have required property '"+"cert"+"'",schema:schema0.properties.cluster.properties.tls.required,parentSchema:schema0.properties.cluster.properties.tls,data:data19};
if(vErrors === null){
vErrors = [err46];
}
else {
vErrors.push(err46);
}
errors++;
}
if(data19.key === undefined){
const err47 = {instancePath:instancePath+"/cluster/tls",schemaPath:"#/properties/cluster/properties/tls/required",keyword:"required",params:{missingProperty: "key"},message:"must have required property '"+"key"+"'",schema:schema0.properties.cluster.properties.tls.required,parentSchema:schema0.properties.cluster.properties.tls,data:data19};
if(vErrors === null){
vErrors = [err47];
}
else {
vErrors.push(err47);
}
errors++;
}
for(const key6 in data19){
if(!(((key6 === "ca") || (key6 === "cert")) || (key6 === "key"))){
const err48 = {instancePath:instancePath+"/cluster/tls",schemaPath:"#/properties/cluster/properties/tls/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key6},message:"must NOT have additional properties",schema:false,parentSchema:schema0.properties.cluster.properties.tls,data:data19};
if(vErrors === null){
vErrors = [err48];
}
else {
vErrors.push(err48);
}
errors++;
}
}
if(data19.ca !== undefined){
let data20 = data19.ca;
if(typeof data20 === "string"){
if(func1(data20) < 1){
const err49 = {instancePath:instancePath+"/cluster/tls/ca",schemaPath:"#/properties/cluster/properties/tls/properties/ca/minLength",keyword:"minLength",params:{limit: 1},message:"must NOT have fewer than 1 characters",schema:1,parentSchema:schema0.properties.cluster.properties.tls.properties.ca,data:data20};
if(vErrors === null){
vErrors = [err49];
}
else {
vErrors.push(err49);
}
errors++;
}
}
else {
const err50 = {instancePath:instancePath+"/cluster/tls/ca",schemaPath:"#/properties/cluster/properties/tls/properties/ca/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema0.properties.cluster.properties.tls.properties.ca.type,parentSchema:schema0.properties.cluster.properties.tls.properties.ca,data:data20};
if(vErrors === null){
vErrors = [err50];
}
else {
vErrors.push(err50);
}
errors++;
}
}
if(data19.cert !== undefined){
let data21 = data19.cert;
if(typeof data21 === "string"){
if(func1(data21) < 1){
const err51 = {instancePath:instancePath+"/cluster/tls/cert",schemaPath:"#/properties/cluster/properties/tls/properties/cert/minLength",keyword:"minLength",params:{limit: 1},message:"must NOT have fewer than 1 characters",schema:1,parentSchema:schema0.properties.cluster.properties.tls.properties.cert,data:data21};
if(vErrors === null){
vErrors = [err51];
}
else {
vErrors.push(err51);
}
errors++;
}
}
else {
const err52 = {instancePath:instancePath+"/cluster/tls/cert",schemaPath:"#/properties/cluster/properties/tls/properties/cert/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema0.properties.cluster.properties.tls.properties.cert.type,parentSchema:schema0.properties.cluster.properties.tls.properties.cert,data:data21};
if(vErrors === null){
vErrors = [err52];
}
else {
vErrors.push(err52);
}
errors++;
}
}
if(data19.key !== undefined){
let data22 = data19.key;
if(typeof data22 === "string"){
if(func1(data22) < 1){
const err53 = {instancePath:instancePath+"/cluster/tls/key",schemaPath:"#/properties/cluster/properties/tls/properties/key/minLength",keyword:"minLength",params:{limit: 1},message:"must NOT have fewer than 1 characters",schema:1,parentSchema:schema0.properties.cluster.properties.tls.properties.key,data:data22};
if(vErrors === null){
vErrors = [err53];
}
else {
vErrors.push(err53);
}
errors++;
}
}
else {
const err54 = {instancePath:instancePath+"/cluster/tls/key",schemaPath:"#/properties/cluster/properties/tls/properties/key/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema0.properties.cluster.properties.tls.properties.key.type,parentSchema:schema0.properties.cluster.properties.tls.properties.key,data:data22};
if(vErrors === null){
vErrors = [err54];
}
else {
vErrors.push(err54);
}
errors++;
}
}
}
else {
const err55 = {instancePath:instancePath+"/cluster/tls",schemaPath:"#/properties/cluster/properties/tls/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema0.properties.cluster.properties.tls.type,parentSchema:schema0.properties.cluster.properties.tls,data:data19};
if(vErrors === null){
vErrors = [err55];
}
else {
vErrors.push(err55);
}
errors++;
}
}
if(data7.listen !== undefined){
let data23 = data7.listen;
if(typeof data23 === "string"){
if(!pattern2.test(data23)){
const err56 = {instancePath:instancePath+"/cluster/listen",schemaPath:"#/properties/cluster/properties/listen/pattern",keyword:"pattern",params:{pattern: "^(\\[[0-9A-Fa-f:.]+\\]|[^\\s:/\\[\\]]+):[0-9]{1,5}$"},message:"must match pattern \""+"^(\\[[0-9A-Fa-f:.]+\\]|[^\\s:/\\[\\]]+):[0-9]{1,5}$"+"\"",schema:"^(\\[[0-9A-Fa-f:.]+\\]|[^\\s:/\\[\\]]+):[0-9]{1,5}$",parentSchema:schema0.properties.cluster.properties.listen,data:data23};
if(vErrors === null){
vErrors = [err56];
}
else {
vErrors.push(err56);
}
errors++;
}
}
else {
const err57 = {instancePath:instancePath+"/cluster/listen",schemaPath:"#/properties/cluster/properties/listen/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema0.properties.cluster.properties.listen.type,parentSchema:schema0.properties.cluster.properties.listen,data:data23};
if(vErrors === null){
vErrors = [err57];
}
else {
vErrors.push(err57);
}
errors++;
}
}
if(data7.advertise !== undefined){
let data24 = data7.advertise;
if(typeof data24 === "string"){
if(!pattern2.test(data24)){
const err58 = {instancePath:instancePath+"/cluster/advertise",schemaPath:"#/properties/cluster/properties/advertise/pattern",keyword:"pattern",params:{pattern: "^(\\[[0-9A-Fa-f:.]+\\]|[^\\s:/\\[\\]]+):[0-9]{1,5}$"},message:"must match pattern \""+"^(\\[[0-9A-Fa-f:.]+\\]|[^\\s:/\\[\\]]+):[0-9]{1,5}$"+"\"",schema:"^(\\[[0-9A-Fa-f:.]+\\]|[^\\s:/\\[\\]]+):[0-9]{1,5}$",parentSchema:schema0.properties.cluster.properties.advertise,data:data24};
if(vErrors === null){
vErrors = [err58];
}
else {
vErrors.push(err58);
}
errors++;
}
}
else {
const err59 = {instancePath:instancePath+"/cluster/advertise",schemaPath:"#/properties/cluster/properties/advertise/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema0.properties.cluster.properties.advertise.type,parentSchema:schema0.properties.cluster.properties.advertise,data:data24};
if(vErrors === null){
vErrors = [err59];
}
else {
vErrors.push(err59);
}
errors++;
}
}
if(data7.insecure !== undefined){
let data25 = data7.insecure;
if(typeof data25 !== "boolean"){
const err60 = {instancePath:instancePath+"/cluster/insecure",schemaPath:"#/properties/cluster/properties/insecure/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema0.properties.cluster.properties.insecure.type,parentSchema:schema0.properties.cluster.properties.insecure,data:data25};
if(vErrors === null){
vErrors = [err60];
}
else {
vErrors.push(err60);
}
errors++;
}
}
}
else {
const err61 = {instancePath:instancePath+"/cluster",schemaPath:"#/properties/cluster/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema0.properties.cluster.type,parentSchema:schema0.properties.cluster,data:data7};
if(vErrors === null){
vErrors = [err61];
}
else {
vErrors.push(err61);
}
errors++;
}
}
if(data.reads !== undefined){
let data26 = data.reads;
if(data26 && typeof data26 == "object" && !Array.isArray(data26)){
for(const key7 in data26){
if(!(key7 === "consistency")){
const err62 = {instancePath:instancePath+"/reads",schemaPath:"#/properties/reads/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key7},message:"must NOT have additional properties",schema:false,parentSchema:schema0.properties.reads,data:data26};
if(vErrors === null){
vErrors = [err62];
}
else {
vErrors.push(err62);
}
errors++;
}
}
if(data26.consistency !== undefined){
let data27 = data26.consistency;
if(typeof data27 !== "string"){
const err63 = {instancePath:instancePath+"/reads/consistency",schemaPath:"#/properties/reads/properties/consistency/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema0.properties.reads.properties.consistency.type,parentSchema:schema0.properties.reads.properties.consistency,data:data27};
if(vErrors === null){
vErrors = [err63];
}
else {
vErrors.push(err63);
}
errors++;
}
if(!(((data27 === "leader") || (data27 === "strong")) || (data27 === "eventual"))){
const err64 = {instancePath:instancePath+"/reads/consistency",schemaPath:"#/properties/reads/properties/consistency/enum",keyword:"enum",params:{allowedValues: schema0.properties.reads.properties.consistency.enum},message:"must be equal to one of the allowed values",schema:schema0.properties.reads.properties.consistency.enum,parentSchema:schema0.properties.reads.properties.consistency,data:data27};
if(vErrors === null){
vErrors = [err64];
}
else {
vErrors.push(err64);
}
errors++;
}
}
}
else {
const err65 = {instancePath:instancePath+"/reads",schemaPath:"#/properties/reads/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema0.properties.reads.type,parentSchema:schema0.properties.reads,data:data26};
if(vErrors === null){
vErrors = [err65];
}
else {
vErrors.push(err65);
}
errors++;
}
}
if(data.timeoutMs !== undefined){
let data28 = data.timeoutMs;
if(!(((typeof data28 == "number") && (!(data28 % 1) && !isNaN(data28))) && (isFinite(data28)))){
const err66 = {instancePath:instancePath+"/timeoutMs",schemaPath:"#/properties/timeoutMs/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema0.properties.timeoutMs.type,parentSchema:schema0.properties.timeoutMs,data:data28};
if(vErrors === null){
vErrors = [err66];
}
else {
vErrors.push(err66);
}
errors++;
}
if((typeof data28 == "number") && (isFinite(data28))){
if(data28 > 2147483647 || isNaN(data28)){
const err67 = {instancePath:instancePath+"/timeoutMs",schemaPath:"#/properties/timeoutMs/maximum",keyword:"maximum",params:{comparison: "<=", limit: 2147483647},message:"must be <= 2147483647",schema:2147483647,parentSchema:schema0.properties.timeoutMs,data:data28};
if(vErrors === null){
vErrors = [err67];
}
else {
vErrors.push(err67);
}
errors++;
}
if(data28 < 1 || isNaN(data28)){
const err68 = {instancePath:instancePath+"/timeoutMs",schemaPath:"#/properties/timeoutMs/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1},message:"must be >= 1",schema:1,parentSchema:schema0.properties.timeoutMs,data:data28};
if(vErrors === null){
vErrors = [err68];
}
else {
vErrors.push(err68);
}
errors++;
}
}
}
if(data.limits !== undefined){
let data29 = data.limits;
if(data29 && typeof data29 == "object" && !Array.isArray(data29)){
for(const key8 in data29){
if(!((((((key8 === "valueBytes") || (key8 === "batch")) || (key8 === "entryBytes")) || (key8 === "iteratorBytes")) || (key8 === "queueBytes")) || (key8 === "connections"))){
const err69 = {instancePath:instancePath+"/limits",schemaPath:"#/properties/limits/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key8},message:"must NOT have additional properties",schema:false,parentSchema:schema0.properties.limits,data:data29};
if(vErrors === null){
vErrors = [err69];
}
else {
vErrors.push(err69);
}
errors++;
}
}
if(data29.valueBytes !== undefined){
let data30 = data29.valueBytes;
if(!(((typeof data30 == "number") && (!(data30 % 1) && !isNaN(data30))) && (isFinite(data30)))){
const err70 = {instancePath:instancePath+"/limits/valueBytes",schemaPath:"#/properties/limits/properties/valueBytes/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema0.properties.limits.properties.valueBytes.type,parentSchema:schema0.properties.limits.properties.valueBytes,data:data30};
if(vErrors === null){
vErrors = [err70];
}
else {
vErrors.push(err70);
}
errors++;
}
if((typeof data30 == "number") && (isFinite(data30))){
if(data30 > 16777216 || isNaN(data30)){
const err71 = {instancePath:instancePath+"/limits/valueBytes",schemaPath:"#/properties/limits/properties/valueBytes/maximum",keyword:"maximum",params:{comparison: "<=", limit: 16777216},message:"must be <= 16777216",schema:16777216,parentSchema:schema0.properties.limits.properties.valueBytes,data:data30};
if(vErrors === null){
vErrors = [err71];
}
else {
vErrors.push(err71);
}
errors++;
}
if(data30 < 1024 || isNaN(data30)){
const err72 = {instancePath:instancePath+"/limits/valueBytes",schemaPath:"#/properties/limits/properties/valueBytes/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1024},message:"must be >= 1024",schema:1024,parentSchema:schema0.properties.limits.properties.valueBytes,data:data30};
if(vErrors === null){
vErrors = [err72];
}
else {
vErrors.push(err72);
}
errors++;
}
}
}
if(data29.batch !== undefined){
let data31 = data29.batch;
if(!(((typeof data31 == "number") && (!(data31 % 1) && !isNaN(data31))) && (isFinite(data31)))){
const err73 = {instancePath:instancePath+"/limits/batch",schemaPath:"#/properties/limits/properties/batch/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema0.properties.limits.properties.batch.type,parentSchema:schema0.properties.limits.properties.batch,data:data31};
if(vErrors === null){
vErrors = [err73];
}
else {
vErrors.push(err73);
}
errors++;
}
if((typeof data31 == "number") && (isFinite(data31))){
if(data31 > 10000 || isNaN(data31)){
const err74 = {instancePath:instancePath+"/limits/batch",schemaPath:"#/properties/limits/properties/batch/maximum",keyword:"maximum",params:{comparison: "<=", limit: 10000},message:"must be <= 10000",schema:10000,parentSchema:schema0.properties.limits.properties.batch,data:data31};
if(vErrors === null){
vErrors = [err74];
}
else {
vErrors.push(err74);
}
errors++;
}
if(data31 < 1 || isNaN(data31)){
const err75 = {instancePath:instancePath+"/limits/batch",schemaPath:"#/properties/limits/properties/batch/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1},message:"must be >= 1",schema:1,parentSchema:schema0.properties.limits.properties.batch,data:data31};
if(vErrors === null){
vErrors = [err75];
}
else {
vErrors.push(err75);
}
errors++;
}
}
}
if(data29.entryBytes !== undefined){
let data32 = data29.entryBytes;
if(!(((typeof data32 == "number") && (!(data32 % 1) && !isNaN(data32))) && (isFinite(data32)))){
const err76 = {instancePath:instancePath+"/limits/entryBytes",schemaPath:"#/properties/limits/properties/entryBytes/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema0.properties.limits.properties.entryBytes.type,parentSchema:schema0.properties.limits.properties.entryBytes,data:data32};
if(vErrors === null){
vErrors = [err76];
}
else {
vErrors.push(err76);
}
errors++;
}
if((typeof data32 == "number") && (isFinite(data32))){
if(data32 > 16777216 || isNaN(data32)){
const err77 = {instancePath:instancePath+"/limits/entryBytes",schemaPath:"#/properties/limits/properties/entryBytes/maximum",keyword:"maximum",params:{comparison: "<=", limit: 16777216},message:"must be <= 16777216",schema:16777216,parentSchema:schema0.properties.limits.properties.entryBytes,data:data32};
if(vErrors === null){
vErrors = [err77];
}
else {
vErrors.push(err77);
}
errors++;
}
if(data32 < 1024 || isNaN(data32)){
const err78 = {instancePath:instancePath+"/limits/entryBytes",schemaPath:"#/properties/limits/properties/entryBytes/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1024},message:"must be >= 1024",schema:1024,parentSchema:schema0.properties.limits.properties.entryBytes,data:data32};
if(vErrors === null){
vErrors = [err78];
}
else {
vErrors.push(err78);
}
errors++;
}
}
}
if(data29.iteratorBytes !== undefined){
let data33 = data29.iteratorBytes;
if(!(((typeof data33 == "number") && (!(data33 % 1) && !isNaN(data33))) && (isFinite(data33)))){
const err79 = {instancePath:instancePath+"/limits/iteratorBytes",schemaPath:"#/properties/limits/properties/iteratorBytes/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema0.properties.limits.properties.iteratorBytes.type,parentSchema:schema0.properties.limits.properties.iteratorBytes,data:data33};
if(vErrors === null){
vErrors = [err79];
}
else {
vErrors.push(err79);
}
errors++;
}
if((typeof data33 == "number") && (isFinite(data33))){
if(data33 > 4294967296 || isNaN(data33)){
const err80 = {instancePath:instancePath+"/limits/iteratorBytes",schemaPath:"#/properties/limits/properties/iteratorBytes/maximum",keyword:"maximum",params:{comparison: "<=", limit: 4294967296},message:"must be <= 4294967296",schema:4294967296,parentSchema:schema0.properties.limits.properties.iteratorBytes,data:data33};
if(vErrors === null){
vErrors = [err80];
}
else {
vErrors.push(err80);
}
errors++;
}
if(data33 < 1048576 || isNaN(data33)){
const err81 = {instancePath:instancePath+"/limits/iteratorBytes",schemaPath:"#/properties/limits/properties/iteratorBytes/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1048576},message:"must be >= 1048576",schema:1048576,parentSchema:schema0.properties.limits.properties.iteratorBytes,data:data33};
if(vErrors === null){
vErrors = [err81];
}
else {
vErrors.push(err81);
}
errors++;
}
}
}
if(data29.queueBytes !== undefined){
let data34 = data29.queueBytes;
if(!(((typeof data34 == "number") && (!(data34 % 1) && !isNaN(data34))) && (isFinite(data34)))){
const err82 = {instancePath:instancePath+"/limits/queueBytes",schemaPath:"#/properties/limits/properties/queueBytes/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema0.properties.limits.properties.queueBytes.type,parentSchema:schema0.properties.limits.properties.queueBytes,data:data34};
if(vErrors === null){
vErrors = [err82];
}
else {
vErrors.push(err82);
}
errors++;
}
if((typeof data34 == "number") && (isFinite(data34))){
if(data34 > 4294967296 || isNaN(data34)){
const err83 = {instancePath:instancePath+"/limits/queueBytes",schemaPath:"#/properties/limits/properties/queueBytes/maximum",keyword:"maximum",params:{comparison: "<=", limit: 4294967296},message:"must be <= 4294967296",schema:4294967296,parentSchema:schema0.properties.limits.properties.queueBytes,data:data34};
if(vErrors === null){
vErrors = [err83];
}
else {
vErrors.push(err83);
}
errors++;
}
if(data34 < 1048576 || isNaN(data34)){
const err84 = {instancePath:instancePath+"/limits/queueBytes",schemaPath:"#/properties/limits/properties/queueBytes/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1048576},message:"must be >= 1048576",schema:1048576,parentSchema:schema0.properties.limits.properties.queueBytes,data:data34};
if(vErrors === null){
vErrors = [err84];
}
else {
vErrors.push(err84);
}
errors++;
}
}
}
if(data29.connections !== undefined){
let data35 = data29.connections;
if(!(((typeof data35 == "number") && (!(data35 % 1) && !isNaN(data35))) && (isFinite(data35)))){
const err85 = {instancePath:instancePath+"/limits/connections",schemaPath:"#/properties/limits/properties/connections/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema0.properties.limits.properties.connections.type,parentSchema:schema0.properties.limits.properties.connections,data:data35};
if(vErrors === null){
vErrors = [err85];
}
else {
vErrors.push(err85);
}
errors++;
}
if((typeof data35 == "number") && (isFinite(data35))){
if(data35 > 65535 || isNaN(data35)){
const err86 = {instancePath:instancePath+"/limits/connections",schemaPath:"#/properties/limits/properties/connections/maximum",keyword:"maximum",params:{comparison: "<=", limit: 65535},message:"must be <= 65535",schema:65535,parentSchema:schema0.properties.limits.properties.connections,data:data35};
if(vErrors === null){
vErrors = [err86];
}
else {
vErrors.push(err86);
}
errors++;
}
if(data35 < 1 || isNaN(data35)){
const err87 = {instancePath:instancePath+"/limits/connections",schemaPath:"#/properties/limits/properties/connections/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1},message:"must be >= 1",schema:1,parentSchema:schema0.properties.limits.properties.connections,data:data35};
if(vErrors === null){
vErrors = [err87];
}
else {
vErrors.push(err87);
}
errors++;
}
}
}
}
else {
const err88 = {instancePath:instancePath+"/limits",schemaPath:"#/properties/limits/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema0.properties.limits.type,parentSchema:schema0.properties.limits,data:data29};
if(vErrors === null){
vErrors = [err88];
}
else {
vErrors.push(err88);
}
errors++;
}
}
if(data.requests !== undefined){
let data36 = data.requests;
if(data36 && typeof data36 == "object" && !Array.isArray(data36)){
for(const key9 in data36){
if(!((key9 === "keepMs") || (key9 === "max"))){
const err89 = {instancePath:instancePath+"/requests",schemaPath:"#/properties/requests/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key9},message:"must NOT have additional properties",schema:false,parentSchema:schema0.properties.requests,data:data36};
if(vErrors === null){
vErrors = [err89];
}
else {
vErrors.push(err89);
}
errors++;
}
}
if(data36.keepMs !== undefined){
let data37 = data36.keepMs;
if(!(((typeof data37 == "number") && (!(data37 % 1) && !isNaN(data37))) && (isFinite(data37)))){
const err90 = {instancePath:instancePath+"/requests/keepMs",schemaPath:"#/properties/requests/properties/keepMs/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema0.properties.requests.properties.keepMs.type,parentSchema:schema0.properties.requests.properties.keepMs,data:data37};
if(vErrors === null){
vErrors = [err90];
}
else {
vErrors.push(err90);
}
errors++;
}
if((typeof data37 == "number") && (isFinite(data37))){
if(data37 > 86400000 || isNaN(data37)){
const err91 = {instancePath:instancePath+"/requests/keepMs",schemaPath:"#/properties/requests/properties/keepMs/maximum",keyword:"maximum",params:{comparison: "<=", limit: 86400000},message:"must be <= 86400000",schema:86400000,parentSchema:schema0.properties.requests.properties.keepMs,data:data37};
if(vErrors === null){
vErrors = [err91];
}
else {
vErrors.push(err91);
}
errors++;
}
if(data37 < 1000 || isNaN(data37)){
const err92 = {instancePath:instancePath+"/requests/keepMs",schemaPath:"#/properties/requests/properties/keepMs/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1000},message:"must be >= 1000",schema:1000,parentSchema:schema0.properties.requests.properties.keepMs,data:data37};
if(vErrors === null){
vErrors = [err92];
}
else {
vErrors.push(err92);
}
errors++;
}
}
}
if(data36.max !== undefined){
let data38 = data36.max;
if(!(((typeof data38 == "number") && (!(data38 % 1) && !isNaN(data38))) && (isFinite(data38)))){
const err93 = {instancePath:instancePath+"/requests/max",schemaPath:"#/properties/requests/properties/max/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema0.properties.requests.properties.max.type,parentSchema:schema0.properties.requests.properties.max,data:data38};
if(vErrors === null){
vErrors = [err93];
}
else {
vErrors.push(err93);
}
errors++;
}
if((typeof data38 == "number") && (isFinite(data38))){
if(data38 > 1000000 || isNaN(data38)){
const err94 = {instancePath:instancePath+"/requests/max",schemaPath:"#/properties/requests/properties/max/maximum",keyword:"maximum",params:{comparison: "<=", limit: 1000000},message:"must be <= 1000000",schema:1000000,parentSchema:schema0.properties.requests.properties.max,data:data38};
if(vErrors === null){
vErrors = [err94];
}
else {
vErrors.push(err94);
}
errors++;
}
if(data38 < 1 || isNaN(data38)){
const err95 = {instancePath:instancePath+"/requests/max",schemaPath:"#/properties/requests/properties/max/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1},message:"must be >= 1",schema:1,parentSchema:schema0.properties.requests.properties.max,data:data38};
if(vErrors === null){
vErrors = [err95];
}
else {
vErrors.push(err95);
}
errors++;
}
}
}
}
else {
const err96 = {instancePath:instancePath+"/requests",schemaPath:"#/properties/requests/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema0.properties.requests.type,parentSchema:schema0.properties.requests,data:data36};
if(vErrors === null){
vErrors = [err96];
}
else {
vErrors.push(err96);
}
errors++;
}
}
if(data.raft !== undefined){
let data39 = data.raft;
if(data39 && typeof data39 == "object" && !Array.isArray(data39)){
for(const key10 in data39){
if(!(((key10 === "electionTimeoutMs") || (key10 === "heartbeatMs")) || (key10 === "leaseMs"))){
const err97 = {instancePath:instancePath+"/raft",schemaPath:"#/properties/raft/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key10},message:"must NOT have additional properties",schema:false,parentSchema:schema0.properties.raft,data:data39};
if(vErrors === null){
vErrors = [err97];
}
else {
vErrors.push(err97);
}
errors++;
}
}
if(data39.electionTimeoutMs !== undefined){
let data40 = data39.electionTimeoutMs;
if(!(((typeof data40 == "number") && (!(data40 % 1) && !isNaN(data40))) && (isFinite(data40)))){
const err98 = {instancePath:instancePath+"/raft/electionTimeoutMs",schemaPath:"#/properties/raft/properties/electionTimeoutMs/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema0.properties.raft.properties.electionTimeoutMs.type,parentSchema:schema0.properties.raft.properties.electionTimeoutMs,data:data40};
if(vErrors === null){
vErrors = [err98];
}
else {
vErrors.push(err98);
}
errors++;
}
if((typeof data40 == "number") && (isFinite(data40))){
if(data40 > 60000 || isNaN(data40)){
const err99 = {instancePath:instancePath+"/raft/electionTimeoutMs",schemaPath:"#/properties/raft/properties/electionTimeoutMs/maximum",keyword:"maximum",params:{comparison: "<=", limit: 60000},message:"must be <= 60000",schema:60000,parentSchema:schema0.properties.raft.properties.electionTimeoutMs,data:data40};
if(vErrors === null){
vErrors = [err99];
}
else {
vErrors.push(err99);
}
errors++;
}
if(data40 < 50 || isNaN(data40)){
const err100 = {instancePath:instancePath+"/raft/electionTimeoutMs",schemaPath:"#/properties/raft/properties/electionTimeoutMs/minimum",keyword:"minimum",params:{comparison: ">=", limit: 50},message:"must be >= 50",schema:50,parentSchema:schema0.properties.raft.properties.electionTimeoutMs,data:data40};
if(vErrors === null){
vErrors = [err100];
}
else {
vErrors.push(err100);
}
errors++;
}
}
}
if(data39.heartbeatMs !== undefined){
let data41 = data39.heartbeatMs;
if(!(((typeof data41 == "number") && (!(data41 % 1) && !isNaN(data41))) && (isFinite(data41)))){
const err101 = {instancePath:instancePath+"/raft/heartbeatMs",schemaPath:"#/properties/raft/properties/heartbeatMs/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema0.properties.raft.properties.heartbeatMs.type,parentSchema:schema0.properties.raft.properties.heartbeatMs,data:data41};
if(vErrors === null){
vErrors = [err101];
}
else {
vErrors.push(err101);
}
errors++;
}
if((typeof data41 == "number") && (isFinite(data41))){
if(data41 > 10000 || isNaN(data41)){
const err102 = {instancePath:instancePath+"/raft/heartbeatMs",schemaPath:"#/properties/raft/properties/heartbeatMs/maximum",keyword:"maximum",params:{comparison: "<=", limit: 10000},message:"must be <= 10000",schema:10000,parentSchema:schema0.properties.raft.properties.heartbeatMs,data:data41};
if(vErrors === null){
vErrors = [err102];
}
else {
vErrors.push(err102);
}
errors++;
}
if(data41 < 5 || isNaN(data41)){
const err103 = {instancePath:instancePath+"/raft/heartbeatMs",schemaPath:"#/properties/raft/properties/heartbeatMs/minimum",keyword:"minimum",params:{comparison: ">=", limit: 5},message:"must be >= 5",schema:5,parentSchema:schema0.properties.raft.properties.heartbeatMs,data:data41};
if(vErrors === null){
vErrors = [err103];
}
else {
vErrors.push(err103);
}
errors++;
}
}
}
if(data39.leaseMs !== undefined){
let data42 = data39.leaseMs;
if(!(((typeof data42 == "number") && (!(data42 % 1) && !isNaN(data42))) && (isFinite(data42)))){
const err104 = {instancePath:instancePath+"/raft/leaseMs",schemaPath:"#/properties/raft/properties/leaseMs/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema0.properties.raft.properties.leaseMs.type,parentSchema:schema0.properties.raft.properties.leaseMs,data:data42};
if(vErrors === null){
vErrors = [err104];
}
else {
vErrors.push(err104);
}
errors++;
}
if((typeof data42 == "number") && (isFinite(data42))){
if(data42 > 30000 || isNaN(data42)){
const err105 = {instancePath:instancePath+"/raft/leaseMs",schemaPath:"#/properties/raft/properties/leaseMs/maximum",keyword:"maximum",params:{comparison: "<=", limit: 30000},message:"must be <= 30000",schema:30000,parentSchema:schema0.properties.raft.properties.leaseMs,data:data42};
if(vErrors === null){
vErrors = [err105];
}
else {
vErrors.push(err105);
}
errors++;
}
if(data42 < 10 || isNaN(data42)){
const err106 = {instancePath:instancePath+"/raft/leaseMs",schemaPath:"#/properties/raft/properties/leaseMs/minimum",keyword:"minimum",params:{comparison: ">=", limit: 10},message:"must be >= 10",schema:10,parentSchema:schema0.properties.raft.properties.leaseMs,data:data42};
if(vErrors === null){
vErrors = [err106];
}
else {
vErrors.push(err106);
}
errors++;
}
}
}
}
else {
const err107 = {instancePath:instancePath+"/raft",schemaPath:"#/properties/raft/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema0.properties.raft.type,parentSchema:schema0.properties.raft,data:data39};
if(vErrors === null){
vErrors = [err107];
}
else {
vErrors.push(err107);
}
errors++;
}
}
if(data.snapshot !== undefined){
let data43 = data.snapshot;
if(data43 && typeof data43 == "object" && !Array.isArray(data43)){
for(const key11 in data43){
if(!((key11 === "logBytes") || (key11 === "keepBytes"))){
const err108 = {instancePath:instancePath+"/snapshot",schemaPath:"#/properties/snapshot/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key11},message:"must NOT have additional properties",schema:false,parentSchema:schema0.properties.snapshot,data:data43};
if(vErrors === null){
vErrors = [err108];
}
else {
vErrors.push(err108);
}
errors++;
}
}
if(data43.logBytes !== undefined){
let data44 = data43.logBytes;
if(!(((typeof data44 == "number") && (!(data44 % 1) && !isNaN(data44))) && (isFinite(data44)))){
const err109 = {instancePath:instancePath+"/snapshot/logBytes",schemaPath:"#/properties/snapshot/properties/logBytes/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema0.properties.snapshot.properties.logBytes.type,parentSchema:schema0.properties.snapshot.properties.logBytes,data:data44};
if(vErrors === null){
vErrors = [err109];
}
else {
vErrors.push(err109);
}
errors++;
}
if((typeof data44 == "number") && (isFinite(data44))){
if(data44 > 17179869184 || isNaN(data44)){
const err110 = {instancePath:instancePath+"/snapshot/logBytes",schemaPath:"#/properties/snapshot/properties/logBytes/maximum",keyword:"maximum",params:{comparison: "<=", limit: 17179869184},message:"must be <= 17179869184",schema:17179869184,parentSchema:schema0.properties.snapshot.properties.logBytes,data:data44};
if(vErrors === null){
vErrors = [err110];
}
else {
vErrors.push(err110);
}
errors++;
}
if(data44 < 1048576 || isNaN(data44)){
const err111 = {instancePath:instancePath+"/snapshot/logBytes",schemaPath:"#/properties/snapshot/properties/logBytes/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1048576},message:"must be >= 1048576",schema:1048576,parentSchema:schema0.properties.snapshot.properties.logBytes,data:data44};
if(vErrors === null){
vErrors = [err111];
}
else {
vErrors.push(err111);
}
errors++;
}
}
}
if(data43.keepBytes !== undefined){
let data45 = data43.keepBytes;
if(!(((typeof data45 == "number") && (!(data45 % 1) && !isNaN(data45))) && (isFinite(data45)))){
const err112 = {instancePath:instancePath+"/snapshot/keepBytes",schemaPath:"#/properties/snapshot/properties/keepBytes/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema0.properties.snapshot.properties.keepBytes.type,parentSchema:schema0.properties.snapshot.properties.keepBytes,data:data45};
if(vErrors === null){
vErrors = [err112];
}
else {
vErrors.push(err112);
}
errors++;
}
if((typeof data45 == "number") && (isFinite(data45))){
if(data45 > 17179869184 || isNaN(data45)){
const err113 = {instancePath:instancePath+"/snapshot/keepBytes",schemaPath:"#/properties/snapshot/properties/keepBytes/maximum",keyword:"maximum",params:{comparison: "<=", limit: 17179869184},message:"must be <= 17179869184",schema:17179869184,parentSchema:schema0.properties.snapshot.properties.keepBytes,data:data45};
if(vErrors === null){
vErrors = [err113];
}
else {
vErrors.push(err113);
}
errors++;
}
if(data45 < 0 || isNaN(data45)){
const err114 = {instancePath:instancePath+"/snapshot/keepBytes",schemaPath:"#/properties/snapshot/properties/keepBytes/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema0.properties.snapshot.properties.keepBytes,data:data45};
if(vErrors === null){
vErrors = [err114];
}
else {
vErrors.push(err114);
}
errors++;
}
}
}
}
else {
const err115 = {instancePath:instancePath+"/snapshot",schemaPath:"#/properties/snapshot/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema0.properties.snapshot.type,parentSchema:schema0.properties.snapshot,data:data43};
if(vErrors === null){
vErrors = [err115];
}
else {
vErrors.push(err115);
}
errors++;
}
}
if(data.log !== undefined){
let data46 = data.log;
if(data46 && typeof data46 == "object" && !Array.isArray(data46)){
for(const key12 in data46){
if(!((key12 === "level") || (key12 === "format"))){
const err116 = {instancePath:instancePath+"/log",schemaPath:"#/properties/log/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key12},message:"must NOT have additional properties",schema:false,parentSchema:schema0.properties.log,data:data46};
if(vErrors === null){
vErrors = [err116];
}
else {
vErrors.push(err116);
}
errors++;
}
}
if(data46.level !== undefined){
let data47 = data46.level;
if(typeof data47 !== "string"){
const err117 = {instancePath:instancePath+"/log/level",schemaPath:"#/properties/log/properties/level/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema0.properties.log.properties.level.type,parentSchema:schema0.properties.log.properties.level,data:data47};
if(vErrors === null){
vErrors = [err117];
}
else {
vErrors.push(err117);
}
errors++;
}
if(!(((((((data47 === "trace") || (data47 === "debug")) || (data47 === "info")) || (data47 === "warn")) || (data47 === "error")) || (data47 === "fatal")) || (data47 === "silent"))){
const err118 = {instancePath:instancePath+"/log/level",schemaPath:"#/properties/log/properties/level/enum",keyword:"enum",params:{allowedValues: schema0.properties.log.properties.level.enum},message:"must be equal to one of the allowed values",schema:schema0.properties.log.properties.level.enum,parentSchema:schema0.properties.log.properties.level,data:data47};
if(vErrors === null){
vErrors = [err118];
}
else {
vErrors.push(err118);
}
errors++;
}
}
if(data46.format !== undefined){
let data48 = data46.format;
if(typeof data48 !== "string"){
const err119 = {instancePath:instancePath+"/log/format",schemaPath:"#/properties/log/properties/format/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema0.properties.log.properties.format.type,parentSchema:schema0.properties.log.properties.format,data:data48};
if(vErrors === null){
vErrors = [err119];
}
else {
vErrors.push(err119);
}
errors++;
}
if(!(((data48 === "auto") || (data48 === "json")) || (data48 === "text"))){
const err120 = {instancePath:instancePath+"/log/format",schemaPath:"#/properties/log/properties/format/enum",keyword:"enum",params:{allowedValues: schema0.properties.log.properties.format.enum},message:"must be equal to one of the allowed values",schema:schema0.properties.log.properties.format.enum,parentSchema:schema0.properties.log.properties.format,data:data48};
if(vErrors === null){
vErrors = [err120];
}
else {
vErrors.push(err120);
}
errors++;
}
}
}
else {
const err121 = {instancePath:instancePath+"/log",schemaPath:"#/properties/log/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema0.properties.log.type,parentSchema:schema0.properties.log,data:data46};
if(vErrors === null){
vErrors = [err121];
}
else {
vErrors.push(err121);
}
errors++;
}
}
if(data.shutdownMs !== undefined){
let data49 = data.shutdownMs;
if(!(((typeof data49 == "number") && (!(data49 % 1) && !isNaN(data49))) && (isFinite(data49)))){
const err122 = {instancePath:instancePath+"/shutdownMs",schemaPath:"#/properties/shutdownMs/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema0.properties.shutdownMs.type,parentSchema:schema0.properties.shutdownMs,data:data49};
if(vErrors === null){
vErrors = [err122];
}
else {
vErrors.push(err122);
}
errors++;
}
if((typeof data49 == "number") && (isFinite(data49))){
if(data49 > 2147483647 || isNaN(data49)){
const err123 = {instancePath:instancePath+"/shutdownMs",schemaPath:"#/properties/shutdownMs/maximum",keyword:"maximum",params:{comparison: "<=", limit: 2147483647},message:"must be <= 2147483647",schema:2147483647,parentSchema:schema0.properties.shutdownMs,data:data49};
if(vErrors === null){
vErrors = [err123];
}
else {
vErrors.push(err123);
}
errors++;
}
if(data49 < 0 || isNaN(data49)){
const err124 = {instancePath:instancePath+"/shutdownMs",schemaPath:"#/properties/shutdownMs/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema0.properties.shutdownMs,data:data49};
if(vErrors === null){
vErrors = [err124];
}
else {
vErrors.push(err124);
}
errors++;
}
}
}
if(data.pluginTimeoutMs !== undefined){
let data50 = data.pluginTimeoutMs;
if(!(((typeof data50 == "number") && (!(data50 % 1) && !isNaN(data50))) && (isFinite(data50)))){
const err125 = {instancePath:instancePath+"/pluginTimeoutMs",schemaPath:"#/properties/pluginTimeoutMs/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema0.properties.pluginTimeoutMs.type,parentSchema:schema0.properties.pluginTimeoutMs,data:data50};
if(vErrors === null){
vErrors = [err125];
}
else {
vErrors.push(err125);
}
errors++;
}
if((typeof data50 == "number") && (isFinite(data50))){
if(data50 > 2147483647 || isNaN(data50)){
const err126 = {instancePath:instancePath+"/pluginTimeoutMs",schemaPath:"#/properties/pluginTimeoutMs/maximum",keyword:"maximum",params:{comparison: "<=", limit: 2147483647},message:"must be <= 2147483647",schema:2147483647,parentSchema:schema0.properties.pluginTimeoutMs,data:data50};
if(vErrors === null){
vErrors = [err126];
}
else {
vErrors.push(err126);
}
errors++;
}
if(data50 < 1 || isNaN(data50)){
const err127 = {instancePath:instancePath+"/pluginTimeoutMs",schemaPath:"#/properties/pluginTimeoutMs/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1},message:"must be >= 1",schema:1,parentSchema:schema0.properties.pluginTimeoutMs,data:data50};
if(vErrors === null){
vErrors = [err127];
}
else {
vErrors.push(err127);
}
errors++;
}
}
}
}
else {
const err128 = {instancePath,schemaPath:"#/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema0.type,parentSchema:schema0,data};
if(vErrors === null){
vErrors = [err128];
}
else {
vErrors.push(err128);
}
errors++;
}
validate0.errors = vErrors;
return errors === 0;
}
validate0.evaluated = {"props":true,"dynamicProps":false,"dynamicItems":false};

export const compiledNone: Validate = validate1;
const schema1 = NO_OPTIONS;

function validate1(data, {instancePath="", parentData, parentDataProperty, rootData=data, dynamicAnchors={}}={}){
let vErrors = null;
let errors = 0;
const evaluated0 = validate1.evaluated;
if(evaluated0.dynamicProps){
evaluated0.props = undefined;
}
if(evaluated0.dynamicItems){
evaluated0.items = undefined;
}
if(data && typeof data == "object" && !Array.isArray(data)){
for(const key0 in data){
const err0 = {instancePath,schemaPath:"#/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key0},message:"must NOT have additional properties",schema:false,parentSchema:schema1,data};
if(vErrors === null){
vErrors = [err0];
}
else {
vErrors.push(err0);
}
errors++;
}
}
else {
const err1 = {instancePath,schemaPath:"#/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema1.type,parentSchema:schema1,data};
if(vErrors === null){
vErrors = [err1];
}
else {
vErrors.push(err1);
}
errors++;
}
validate1.errors = vErrors;
return errors === 0;
}
validate1.evaluated = {"props":true,"dynamicProps":false,"dynamicItems":false};
